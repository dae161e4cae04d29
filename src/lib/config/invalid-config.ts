/** All mistakes of a configuration in one error, one line for each, so that a user mends them in one go. */
import { exitCodes, UserError } from '../core/errors.ts';
import type { ConfigMistake, ConfigSource } from './source.ts';

/** A mistake with its place, as data: what `koukan config check --json` prints. */
export interface PlacedMistake {
  readonly file: string;
  /** With its column; absent of a file that could not be read. */
  readonly line?: number;
  readonly col?: number;
  readonly message: string;
}

/** Commands print its message and exit with its code: starting again does not help. */
export class InvalidConfigError extends UserError {
  readonly mistakes: readonly PlacedMistake[];
  constructor(mistakes: readonly PlacedMistake[], exitCode: number = mistakesExitCode(mistakes)) {
    super(mistakes.map(formatMistake).join('\n'), exitCode);
    this.mistakes = mistakes;
  }
}

/** 78 (EX_CONFIG) for what stands in a file, 66 (EX_NOINPUT) when all that is wrong is that files cannot be read. */
export function mistakesExitCode(mistakes: readonly PlacedMistake[]): number {
  return mistakes.every(({ line }) => line === undefined) ? exitCodes.noInput : exitCodes.config;
}

/** Finds the places of mistakes; in the order of the file, without repetitions. */
export function placeMistakes(source: ConfigSource, mistakes: readonly ConfigMistake[]): PlacedMistake[] {
  const placed = new Map<string, PlacedMistake & { readonly line: number; readonly col: number }>();
  for (const mistake of mistakes) {
    const { line, col } = source.position(mistake.path, mistake.key);
    const hint = mistake.suggestion === undefined ? '' : ` (did you mean '${mistake.suggestion}'?)`;
    const entry = { file: source.file, line, col, message: mistake.message + hint };
    placed.set(formatMistake(entry), entry);
  }
  return [...placed.values()].sort((a, b) => a.line - b.line || a.col - b.col);
}

export function formatMistake({ file, line, col, message }: PlacedMistake): string {
  return line === undefined ? message : `${file}:${line}:${col}: ${message}`;
}
