/** Randomness of the operating system, for ids as well as for jitter and weighted choices. */
import { randomBytes } from 'node:crypto';
import type { Rng } from '../core/deps.ts';

export const systemRng: Rng = {
  uniform: () => Math.random(),
  bytes: (size) => randomBytes(size),
};
