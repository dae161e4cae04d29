/** How unpredictable a transaction's id is. The id is all that a client needs to read or cancel, so it must not be guessable. */
import { findAll } from './path-pattern.ts';
import type { ConfigMistake } from './source.ts';

const LEAST_BYTES = 16;

export function restIdEntropy(bytes: number): number {
  return Math.max(LEAST_BYTES, bytes);
}

/** Old sample files ask for 4 bytes: accepted, and made 16. */
export function entropyWarnings(root: unknown, pattern: string): ConfigMistake[] {
  return findAll(root, pattern).flatMap(({ path, value }) =>
    typeof value !== 'number' || value >= LEAST_BYTES
      ? []
      : [{ path, message: `'rest_id_entropy' of ${value} bytes can be guessed: ${LEAST_BYTES} are used` }],
  );
}
