/** Every step a chain can have: the filters and the outputs that come with Koukan. */
import { makeRegistry } from '../chain/registry.ts';
import { filters } from '../filters/index.ts';
import { outputs } from '../outputs/index.ts';

export const registry = makeRegistry([...filters, ...outputs]);
