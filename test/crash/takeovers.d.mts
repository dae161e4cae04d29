/** Types of what the tests in TypeScript use of `takeovers.mjs`. */

export interface Takeover {
  readonly uri: string;
  readonly at: number;
}

export function takeoversIn(log: string): readonly Takeover[];

export function lastWordsIn(log: string): string;
