/** What a configuration may name: filters, outputs, routing policies and matchers, with those of its plugins. For `koukan filters`. */
import { registry as builtIn } from '../chain/registry.ts';
import type { StepRegistry } from '../chain/step-registry.ts';
import { type SchemaOption, schemaOptions } from '../config/schema-options.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearest-name.ts';
import type { Plugin } from '../plugins/plugin.ts';

export type EntryKind = 'filter' | 'output' | 'routing policy' | 'matcher';

export interface CatalogueEntry {
  readonly kind: EntryKind;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** The plugin it comes from; absent: the program has it. */
  readonly plugin?: string;
  readonly options: readonly SchemaOption[];
}

/** Everything, or what is called `name` (a filter and a matcher may share a name). Throws `UserError` when nothing is. */
export async function catalogue(ask: {
  readonly configFile?: string | undefined;
  readonly name?: string | undefined;
}): Promise<readonly CatalogueEntry[]> {
  const { registry, plugins } =
    ask.configFile === undefined ? { registry: builtIn, plugins: [] } : await loaded(ask.configFile);
  const all = entries(registry, plugins);
  const { name } = ask;
  if (name === undefined) return all.map(withOptions);
  const found = all.filter((each) => each.name === name || each.aliases.includes(name));
  if (found.length > 0) return found.map(withOptions);
  const near = nearestName(
    name,
    all.flatMap((each) => [each.name, ...each.aliases]),
  );
  const hint = near === undefined ? '' : ` (did you mean '${near}'?)`;
  throw new UserError(`there is no filter, output, routing policy or matcher '${name}'${hint}`, exitCodes.usage);
}

/** What reads a configuration is loaded here: without one, the list does without it. */
async function loaded(file: string): Promise<{ registry: StepRegistry; plugins: readonly Plugin[] }> {
  const [
    { readConfigFile },
    { pluginsOf },
    { systemClock },
    { parseConfigDocument },
    { InvalidConfigError, placeMistakes },
  ] = await Promise.all([
    import('../config/load.ts'),
    import('../plugins/steps-of.ts'),
    import('../ops/clock.ts'),
    import('../config/document.ts'),
    import('../config/invalid-config.ts'),
  ]);
  const text = readConfigFile(file);
  const { registry, plugins, mistakes } = await pluginsOf(text, file, systemClock);
  if (mistakes.length > 0)
    throw new InvalidConfigError(placeMistakes(parseConfigDocument(text, file).source, mistakes));
  return { registry, plugins: plugins.map(({ plugin }) => plugin) };
}

interface Described {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly summary: string;
  readonly config: Parameters<typeof schemaOptions>[0];
}

type PartsOf = (plugin: Plugin) => readonly { readonly name: string }[] | undefined;

type Unread = Omit<CatalogueEntry, 'options'> & { readonly config: Described['config'] };

function withOptions({ config, ...entry }: Unread): CatalogueEntry {
  return { ...entry, options: schemaOptions(config) };
}

function entries({ steps, vocabulary }: StepRegistry, plugins: readonly Plugin[]): Unread[] {
  const of = (kind: EntryKind, list: readonly Described[], partsOf: PartsOf): Unread[] =>
    list
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, aliases = [], summary, config }) => {
        const owner = plugins.find((plugin) => partsOf(plugin)?.some((part) => part.name === name));
        const plugin = owner === undefined ? {} : { plugin: owner.name };
        return { kind, name, aliases, summary, ...plugin, config };
      });
  const stepsOf = (wanted: 'filter' | 'output'): readonly Described[] => steps.filter(({ kind }) => kind === wanted);
  return [
    ...of('filter', stepsOf('filter'), ({ filters }) => filters),
    ...of('output', stepsOf('output'), ({ outputs }) => outputs),
    ...of('routing policy', vocabulary.routingPolicies, ({ routingPolicies }) => routingPolicies),
    ...of('matcher', vocabulary.matchers, ({ matchers }) => matchers),
  ];
}
