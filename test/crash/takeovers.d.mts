/** Types of what the tests in TypeScript use of `takeovers.mjs`. */

export interface Takeover {
  readonly uri: string;
  readonly at: number;
}

export function takeoversIn(log: string): readonly Takeover[];

export interface Begun {
  readonly life: string;
  readonly at: number;
}

export function lifeTakenOver(lives: readonly Begun[], at: number, ttlMs: number): string;

export function lastWordsIn(log: string): string;
