/** Finds steps whose options ask for something that only another step of the chain can do. */
import type { ConfigMistake, ConfigPath } from '../config/source.ts';
import type { ChainEnv, Step } from './filter.ts';

interface StepInChain {
  readonly path: ConfigPath;
  readonly definition: Step;
  readonly options: unknown;
}

/** Paths are those of the document. */
export function missingSteps(steps: readonly StepInChain[], env: Pick<ChainEnv, 'restEndpoints'>): ConfigMistake[] {
  const names = new Set(steps.map(({ definition }) => definition.name));
  return steps.flatMap(({ path, definition, options }) => {
    const needed = definition.needs?.(options, env);
    if (needed === undefined || names.has(needed.step)) return [];
    return [{ path: [...path, ...needed.path], message: `${needed.why}: add 'filter: ${needed.step}' to this chain` }];
  });
}
