/** Every step a chain may be made of, as the program ships it. */
import { filters } from '../filters/index.ts';
import { routingPolicies } from '../filters/routing/index.ts';
import { matchers } from '../matchers/index.ts';
import { outputs } from '../outputs/index.ts';
import { type StepsOf, stepRegistry } from './step-registry.ts';

export const registry = stepRegistry([...filters, ...outputs], { matchers, routingPolicies });

/** The steps of any configuration, without its plugins. */
export const builtInSteps: StepsOf = async () => ({ registry, mistakes: [] });
