/** The registry of outputs, alphabetical. */
import { exploder } from './exploder.ts';
import { restOutput } from './rest.ts';

export const outputs = [exploder, restOutput] as const;
