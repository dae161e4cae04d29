/** Loads the plugins that a router's configuration names, and adds what they bring to what the program ships. */
import type { OutputDefinition, Step } from '../chain/filter.ts';
import { registry as builtIn } from '../chain/registry.ts';
import { type StepRegistry, stepRegistry } from '../chain/step-registry.ts';
import type { ConfigMistake, ConfigPath } from '../config/source.ts';
import type { Clock } from '../core/deps.ts';
import type { RoutingPolicyDefinition } from '../filters/routing/policy.ts';
import type { MatcherDefinition } from '../matchers/matcher.ts';
import { guardedFilter } from './guarded-filter.ts';
import { guardedMatcher } from './guarded-matcher.ts';
import { guardedOutput } from './guarded-output.ts';
import { guardedRoutingPolicy } from './guarded-routing-policy.ts';
import { loadModule } from './load-module.ts';
import { type ModuleEntry, modulesSection } from './modules-section.ts';
import { type Names, namesOf, signalsOf } from './name-book.ts';
import type { Plugin } from './plugin.ts';
import type { Shapes } from './plugin-shape.ts';

export interface LoadedPlugin {
  readonly path: ConfigPath;
  /** Absolute. */
  readonly file: string;
  /** It is a module that is a plugin, rather than a single part of one, which is named by itself. */
  readonly isWhole: boolean;
  readonly plugin: Plugin;
}

export interface PluginLoad {
  /** What the program ships and what could be loaded. */
  readonly registry: StepRegistry;
  readonly plugins: readonly LoadedPlugin[];
  /** Paths are those of the document. */
  readonly mistakes: readonly ConfigMistake[];
}

/** `modules` is the section as it is written. One after the other, so that messages and precedence are always the same. */
export async function loadPlugins(modules: unknown, configFile: string, clock: Clock): Promise<PluginLoad> {
  const mistakes: ConfigMistake[] = [];
  const plugins: LoadedPlugin[] = [];
  for (const entry of modulesSection(modules, mistakes)) {
    const loaded = await loadModule(entry, configFile, clock);
    if ('value' in loaded) {
      const isWhole = entry.shape === 'plugin';
      plugins.push({ path: entry.path, file: loaded.file, isWhole, plugin: wholePlugin(entry, loaded.value) });
      continue;
    }
    const { problems, suggestion } = loaded;
    const words = (problem: string): string => `plugin ${entry.module}: ${problem}`;
    mistakes.push(
      ...problems.map((problem) => ({ path: entry.path, message: words(problem), ...(suggestion && { suggestion }) })),
    );
  }
  const whole = withPlugins(builtIn, plugins, mistakes);
  return { registry: { ...whole, isIncomplete: mistakes.length > 0 }, plugins, mistakes };
}

/** A part that the configuration names by itself is a plugin of one part, called like its module. */
function wholePlugin({ module, shape }: ModuleEntry, value: Shapes[keyof Shapes]): Plugin {
  switch (shape) {
    case 'plugin':
      return value as Shapes['plugin'];
    case 'filter':
      return { name: module, filters: [value as Shapes['filter']] };
    case 'matcher':
      return { name: module, matchers: [value as Shapes['matcher']] };
    case 'routingPolicy':
      return { name: module, routingPolicies: [value as Shapes['routingPolicy']] };
  }
}

/** A part whose name is taken is a mistake, and is left out. */
export function withPlugins(
  base: StepRegistry,
  plugins: readonly Omit<LoadedPlugin, 'file'>[],
  mistakes: ConfigMistake[],
): StepRegistry {
  const signals = new Set(signalsOf(base));
  const taken = namesOf(base, signals);
  const steps: Step[] = [...base.steps];
  const matchers: MatcherDefinition[] = [...base.vocabulary.matchers];
  const routingPolicies: RoutingPolicyDefinition[] = [...base.vocabulary.routingPolicies];
  for (const { path, plugin, isWhole } of plugins) {
    const { name, filters = [], outputs = [] } = plugin;
    const claim = <T extends { readonly name: string }>(kind: keyof Names, parts: readonly T[] | undefined): T[] =>
      (parts ?? []).filter((part) => {
        const problem = taken[kind].claim(part.name, name);
        if (problem !== undefined) mistakes.push({ path, message: `plugin ${name}: ${problem}` });
        return problem === undefined;
      });
    if (isWhole && claim('plugins', [plugin]).length === 0) continue;
    steps.push(...claim('steps', filters).map((each) => guardedFilter(name, each)));
    steps.push(...claim('steps', outputs).map((each): OutputDefinition => guardedOutput(name, each)));
    matchers.push(...claim('matchers', plugin.matchers).map((each) => guardedMatcher(name, each)));
    routingPolicies.push(
      ...claim('routingPolicies', plugin.routingPolicies).map((each) => guardedRoutingPolicy(name, each)),
    );
    for (const signal of new Set(filters.flatMap(({ produces = [] }) => produces))) {
      // Several filters may set the same signal.
      if (!signals.has(signal)) claim('signals', [{ name: signal.wireName }]);
      signals.add(signal);
    }
  }
  return stepRegistry(steps, { matchers, routingPolicies });
}
