/** Types of what the tests in TypeScript use of `options.mjs`. */

export interface RunOptions {
  readonly engine: 'sqlite' | 'postgres';
  readonly shape: 'serve' | 'split';
  readonly policy: 'retry' | 'hold' | 'ask';
  readonly seed: number;
  readonly kills: number;
  readonly clients: number;
  readonly between: number;
  readonly routers: number;
  readonly gateways: number;
  readonly gcSeconds?: number;
  readonly postgres?: string;
}

export function readOptions(args: readonly string[]): { readonly help: boolean; readonly runs: readonly RunOptions[] };

export function commandOf(options: RunOptions): string;
