/** Where a configuration came from, so that an error found long after parsing still says `file:line:col`. */

export type ConfigPath = readonly (string | number)[];

export interface ConfigSource {
  readonly file: string;
  /** 1-based position of a path, or of the nearest parent that exists; `key` asks for the key itself rather than its value. */
  position(path: ConfigPath, key?: string): { readonly line: number; readonly col: number };
  /** What was accepted but should be known, as `file:line:col: warning: …`; commands print them. */
  readonly warnings?: readonly string[];
}

/** A mistake in a configuration, at a path. `suggestion` is the nearest valid name. */
export interface ConfigMistake {
  readonly path: ConfigPath;
  /** Points at this key of the mapping at `path` (an unknown key). */
  readonly key?: string;
  readonly message: string;
  readonly suggestion?: string;
}

/** Thrown while a step is created from its options; the path is relative to the step. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly ConfigMistake[];
  constructor(mistakes: readonly ConfigMistake[]) {
    super(mistakes.map((mistake) => mistake.message).join('; '));
    this.mistakes = mistakes;
  }
}
