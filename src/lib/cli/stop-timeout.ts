/** `--stop-timeout`, the same for every daemon. */
import { Flags } from './oclif.ts';

export const stopTimeout = Flags.integer({
  description:
    'After SIGTERM: seconds in which what is in flight may finish. Then it is cut off, stored messages are given back, and the program ends.',
  default: 20,
  min: 0,
  max: 86_400,
});
