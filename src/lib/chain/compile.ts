/**
 * From the configuration of a chain to something that opens exchanges. Everything that can be wrong with it is found here, at load:
 * unknown steps, wrong options, a consumer before its producer, no output at the end.
 */

import { olderStepKey } from '../config/older-keys.ts';
import type { ChainConfig, ChainStepConfig, SenderConfig } from '../config/router-config.ts';
import { schemaMistakes } from '../config/schema-mistakes.ts';
import { ConfigError, type ConfigMistake, type ConfigPath } from '../config/source.ts';
import { withOverrides } from '../core/envelope.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { PeerCredentials } from '../core/hop.ts';
import { nearestName } from '../core/nearest-name.ts';
import type { SignalType } from '../core/signal.ts';
import { ChainTx, type ExchangeInit } from './chain-tx.ts';
import type {
  ChainEnv,
  Earlier,
  Filter,
  FilterDefinition,
  OutputDefinition,
  SenderRef,
  Step,
  TxContext,
} from './filter.ts';
import { fold } from './fold.ts';
import { missingSteps } from './needed-steps.ts';
import type { StepRegistry } from './step-registry.ts';

export interface CompiledChain {
  readonly name: string;
  /** Takes recipients one by one (its output is the exploder); others take one complete envelope. */
  readonly incremental: boolean;
  /** Senders of this router that its steps send transactions through. */
  readonly leadsTo: readonly SenderRef[];
  /** Makes the filters of one transaction and puts them over its output. Closing the exchange ends every wait in it. */
  open(init: ExchangeInit): Exchange;
}

/** What every step of every chain may use; the rest of `ChainEnv` follows from the sender and the place in the chain. */
export type CompileEnv = Omit<
  ChainEnv,
  'sender' | 'upstreamSender' | 'upstreamTag' | 'vocabulary' | 'earlier' | 'place'
> & {
  /** Where in the configuration a step is, as `file:line`. */
  readonly placeOf?: (path: ConfigPath) => string;
};

/** Throws `ConfigError` with every mistake; paths are those of the document. */
export function compileChain(
  chain: ChainConfig,
  sender: SenderConfig,
  env: CompileEnv,
  registry: StepRegistry,
): CompiledChain {
  const refreshIntervalMs = chain.outputHandler.upstreamRefreshMs;
  const credentials = credentialsByUrl(env.restEndpoints);
  const principal = { name: sender.name, ...(sender.tag === undefined ? {} : { tag: sender.tag }) };
  const steps = checkedSteps(chain, registry);
  const { filters, output, mistakes } = createSteps(
    steps,
    {
      ...env,
      hop: (endpoint, options) => env.hop(endpoint, { refreshIntervalMs, ...credentials.get(endpoint), ...options }),
      vocabulary: registry.vocabulary,
      sender: principal,
      upstreamSender: sender.upstreamSender,
      upstreamTag: sender.upstreamTag,
    },
    env.placeOf,
  );
  const found = [
    ...mistakes,
    ...missingSteps(
      steps.map((each) => ({ ...each, path: each.step.path })),
      env,
    ),
  ];
  if (found.length > 0) throw new ConfigError(found);
  must(output !== undefined, 'a chain whose steps are right has an output');
  return {
    name: chain.name,
    incremental: output.definition.incremental,
    leadsTo: leadsTo(steps, sender),
    open(init) {
      const tx = new ChainTx(principal, init, withOverrides(init.origin, sender));
      return fold(
        filters.map((make) => make()),
        tx,
        output.open(tx),
      );
    },
  };
}

function leadsTo(steps: readonly CheckedStep[], { upstreamSender, upstreamTag }: SenderConfig): readonly SenderRef[] {
  return steps.flatMap(({ definition, options }) => {
    const explodes = definition.kind === 'output' && definition.incremental;
    return definition.leadsTo?.(options) ?? (explodes ? [{ sender: upstreamSender, tag: upstreamTag }] : []);
  });
}

/** How the next hop at a create URL is shown who we are; endpoints that share a URL share it, which is checked at load. */
function credentialsByUrl(endpoints: CompileEnv['restEndpoints']): ReadonlyMap<string, PeerCredentials> {
  return new Map(
    [...endpoints.values()].flatMap(({ endpoint, credentials }) => (credentials ? [[endpoint, credentials]] : [])),
  );
}

interface CheckedStep {
  readonly step: ChainStepConfig;
  readonly definition: Step;
  /** The options as the step's schema gives them. */
  readonly options: unknown;
}

/** Finds each step and checks its options, and that there is one output, at the end. Throws `ConfigError`. */
export function checkedSteps(chain: ChainConfig, registry: StepRegistry): CheckedStep[] {
  const checked = chain.steps.map((step) => checkStep(step, registry));
  const definitions = chain.steps.map((step) => registry.stepNamed(step.filter));
  const mistakes = [
    ...checked.flatMap((result) => ('mistakes' in result ? result.mistakes : [])),
    ...outputMistakes(chain, definitions),
  ];
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  return checked.filter((result): result is CheckedStep => !('mistakes' in result));
}

/** What is wrong with a single step: for `LoadOptions.checkStep`, where it is reported together with the mistakes of the whole file. */
export function stepChecker(
  registry: StepRegistry,
  resolvePath: ChainEnv['resolvePath'],
): (step: ChainStepConfig) => readonly ConfigMistake[] {
  return (step) => {
    const result = checkStep(step, registry);
    if ('mistakes' in result) return result.mistakes;
    return absolute(step, result.definition.checkFiles?.(result.options, resolvePath) ?? []);
  };
}

function checkStep(
  step: ChainStepConfig,
  registry: StepRegistry,
): CheckedStep | { readonly mistakes: readonly ConfigMistake[] } {
  const definition = registry.stepNamed(step.filter);
  if (definition === undefined) return { mistakes: unknownStep(step, registry) };
  const parsed = definition.config.safeParse(step.options, { reportInput: true });
  if (parsed.success) return { step, definition, options: parsed.data };
  const mistakes = schemaMistakes(definition.config, parsed.error.issues, (path, key) =>
    olderStepKey(definition.name, path, key),
  );
  return { mistakes: absolute(step, mistakes) };
}

function unknownStep(step: ChainStepConfig, registry: StepRegistry): ConfigMistake[] {
  const path = [...step.path, 'filter'];
  const suggestion = nearestName(step.filter, registry.names);
  // It may well be one of a plugin that could not be loaded, and that is reported already.
  if (registry.isIncomplete && suggestion === undefined) return [];
  return [{ path, message: `unknown filter '${step.filter}'`, ...(suggestion === undefined ? {} : { suggestion }) }];
}

/** Exactly one output, at the end. A chain that ends in an unknown step may well end in a mistyped output. */
function outputMistakes(chain: ChainConfig, definitions: readonly (Step | undefined)[]): ConfigMistake[] {
  const last = definitions.length - 1;
  const mistakes: ConfigMistake[] = [];
  definitions.forEach((definition, i) => {
    const step = chain.steps[i];
    if (step === undefined || definition?.kind !== 'output' || i === last) return;
    const message = `'${step.filter}' ends a chain, nothing can come after it`;
    mistakes.push({ path: step.path, key: 'filter', message });
  });
  if (definitions[last]?.kind === 'filter' && mistakes.length === 0) {
    const message = `the chain '${chain.name}' must end in an output, such as 'rest_output' or 'exploder'`;
    mistakes.push({ path: chain.steps[last]?.path ?? chain.path, key: 'filter', message });
  }
  return mistakes;
}

interface CreatedSteps {
  readonly filters: readonly (() => Filter)[];
  readonly output: { readonly definition: OutputDefinition; readonly open: (tx: TxContext) => Exchange } | undefined;
  readonly mistakes: readonly ConfigMistake[];
}

/** Creates the steps in order; each knows what stands before it. A step that fails still counts as standing there. */
function createSteps(
  steps: readonly CheckedStep[],
  base: Omit<ChainEnv, 'earlier'>,
  placeOf: CompileEnv['placeOf'],
): CreatedSteps {
  const filters: (() => Filter)[] = [];
  let output: CreatedSteps['output'];
  const mistakes: ConfigMistake[] = [];
  let earlier: Earlier = { signals: new Set<SignalType<never>>(), policies: [] };
  for (const { step, definition, options } of steps) {
    const env = placeOf === undefined ? base : { ...base, place: placeOf(step.path) };
    try {
      if (definition.kind === 'output') {
        output = { definition, open: definition.create(options, { ...env, earlier }) };
      } else {
        filters.push(definition.create(options, { ...env, earlier }));
      }
    } catch (error) {
      mistakes.push(...stepMistakes(step, error));
    }
    if (definition.kind === 'filter') earlier = extended({ ...env, earlier }, definition, options, step, mistakes);
  }
  return { filters, output, mistakes };
}

function extended(
  env: ChainEnv,
  definition: FilterDefinition,
  options: unknown,
  step: ChainStepConfig,
  mistakes: ConfigMistake[],
): Earlier {
  const { earlier } = env;
  const { produces = [] } = definition;
  const named = definition.subjects?.(options);
  const after = {
    signals: new Set([...earlier.signals, ...produces]),
    // Of two filters of a kind the later one says what is known from here on.
    subjects: new Map([
      ...(earlier.subjects ?? []),
      ...produces.flatMap((each) => (named ? [[each, new Set(named)] as const] : [])),
    ]),
    policies: earlier.policies,
  };
  try {
    const policy = definition.policy?.(options, env);
    return policy === undefined ? after : { ...after, policies: [...earlier.policies, policy] };
  } catch (error) {
    mistakes.push(...stepMistakes(step, error));
    return after;
  }
}

/** What a step finds wrong with its options is a mistake of the configuration; anything else it throws is a bug. */
function stepMistakes(step: ChainStepConfig, error: unknown): ConfigMistake[] {
  if (error instanceof ConfigError) return absolute(step, error.mistakes);
  throw error;
}

function absolute(step: ChainStepConfig, mistakes: readonly ConfigMistake[]): ConfigMistake[] {
  return mistakes.map((mistake) => ({ ...mistake, path: [...step.path, ...mistake.path] }));
}
