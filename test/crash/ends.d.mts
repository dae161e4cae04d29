/** Types of what the tests in TypeScript use of `ends.mjs`. */

/** One message as it came whole: the names of the lives of gateway and router, and when. */
export interface Copy {
  readonly client: string;
  readonly router: string;
  readonly at: number;
}

/** What the store knows of the attempts of one transaction. */
export interface Story {
  readonly delivered: number;
  readonly unrecorded: number;
}

export const RECORDED_WITHIN_MS: number;

export class Ends {
  ended(life: string, at: number): void;
  absent(life: string, from: number, until: number): void;
  trouble(from: number, until?: number): (at: number) => void;
}

export function isExplained(copies: readonly Copy[], story: Story | undefined, ends: Ends): boolean;
