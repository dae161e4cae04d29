/** What a receiver needs of the machine, for programs that bring nothing of their own: errors are logged to standard error. */
import { systemClock } from '../ops/clock.ts';
import { createLog } from '../ops/log.ts';
import { systemRng } from '../ops/rng.ts';
import type { ReceiverDeps } from './receiver.ts';

export function systemDeps(): ReceiverDeps {
  return { clock: systemClock, rng: systemRng, log: createLog({ level: 'warn', format: 'text' }) };
}
