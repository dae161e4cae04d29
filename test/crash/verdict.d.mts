/** Types of what the tests in TypeScript use of `verdict.mjs`. */

export const SILENCE_MS: number;

export function faultsOf(
  account: Readonly<Record<string, unknown>>,
  asked: { readonly kills: number; readonly policy: 'retry' | 'hold' | 'ask' },
): readonly string[];
