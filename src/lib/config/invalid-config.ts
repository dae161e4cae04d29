/** All mistakes of a configuration in one error, one line for each, so that a user mends them in one go. */
import { exitCodes, UserError } from '../core/errors.ts';
import type { ConfigMistake, ConfigSource } from './source.ts';

/** A mistake with its place, as data: what `koukan config check --json` prints. */
export interface PlacedMistake {
  readonly file: string;
  readonly line: number;
  readonly col: number;
  readonly message: string;
}

/** Commands print its message and exit with code 78 (EX_CONFIG): starting again does not help. */
export class InvalidConfigError extends UserError {
  readonly mistakes: readonly PlacedMistake[];
  constructor(mistakes: readonly PlacedMistake[], exitCode: number = exitCodes.config) {
    super(mistakes.map(formatMistake).join('\n'), exitCode);
    this.mistakes = mistakes;
  }
}

/** Finds the places of mistakes; in the order of the file, without repetitions. */
export function placeMistakes(source: ConfigSource, mistakes: readonly ConfigMistake[]): PlacedMistake[] {
  const placed = new Map<string, PlacedMistake>();
  for (const mistake of mistakes) {
    const { line, col } = source.position(mistake.path, mistake.key);
    const hint = mistake.suggestion === undefined ? '' : ` (did you mean '${mistake.suggestion}'?)`;
    const entry = { file: source.file, line, col, message: mistake.message + hint };
    placed.set(formatMistake(entry), entry);
  }
  return [...placed.values()].sort((a, b) => a.line - b.line || a.col - b.col);
}

export function formatMistake({ file, line, col, message }: PlacedMistake): string {
  return `${file}:${line}:${col}: ${message}`;
}
