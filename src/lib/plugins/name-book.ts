/** Who has which name already: nothing a plugin brings may replace what is there, or what another plugin brings. */
import type { StepRegistry } from '../chain/step-registry.ts';
import type { SignalType } from '../core/signal.ts';

export class NameBook {
  readonly #what: string;
  readonly #owners: Map<string, string>;

  constructor(what: string, builtIn: readonly string[]) {
    this.#what = what;
    this.#owners = new Map(builtIn.map((name) => [name, 'built in']));
  }

  /** Takes a name, or says whose it is. */
  claim(name: string, plugin: string): string | undefined {
    const owner = this.#owners.get(name);
    if (owner !== undefined) return `there is already ${this.#what} '${name}' (${owner})`;
    this.#owners.set(name, `of the plugin ${plugin}`);
    return undefined;
  }
}

export interface Names {
  readonly plugins: NameBook;
  /** Filters and outputs: both stand in chains as `filter: NAME`. */
  readonly steps: NameBook;
  readonly matchers: NameBook;
  readonly routingPolicies: NameBook;
  /** By their name on the wire, where two of one name would hide each other. */
  readonly signals: NameBook;
}

export function signalsOf(registry: StepRegistry): readonly SignalType<never>[] {
  return registry.steps.flatMap((step) => (step.kind === 'filter' ? (step.produces ?? []) : []));
}

export function namesOf(registry: StepRegistry, signals: Iterable<SignalType<never>>): Names {
  const { matchers, routingPolicies } = registry.vocabulary;
  return {
    plugins: new NameBook('a plugin', []),
    steps: new NameBook('a filter', registry.names),
    matchers: new NameBook(
      'a matcher',
      matchers.flatMap(({ name, aliases = [] }) => [name, ...aliases]),
    ),
    routingPolicies: new NameBook(
      'a routing policy',
      routingPolicies.map(({ name }) => name),
    ),
    signals: new NameBook(
      'a signal',
      [...signals].map(({ wireName }) => wireName),
    ),
  };
}
