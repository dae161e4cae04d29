/**
 * For programs that check one file and end: zod makes code for a schema when it is first used, which pays off when it is used a thousand times.
 * Has to be loaded before the first schema is.
 */
import { z } from 'zod';

z.config({ jitless: true });
