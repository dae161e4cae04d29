/** Types of what the tests in TypeScript use of `words.mjs`. */

type Account = Readonly<Record<string, unknown>>;

export function describeProgress(
  options: { readonly engine: string; readonly shape: string; readonly seed: number; readonly kills: number },
  progress: {
    readonly stage: 'starting' | 'loaded' | 'settling' | 'quiet';
    readonly kills: number;
    readonly promised: number;
    readonly recipients: number;
    readonly queued: number;
  },
  seconds: number,
): string;

export function describeAccount(account: Account): string;

export function describeFaults(account: Account, found: { readonly keptIn: string; readonly command: string }): string;
