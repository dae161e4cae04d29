/** The steps a chain may be made of, by name and alias. */
import type { ConfigMistake } from '../config/source.ts';
import { must } from '../core/errors.ts';
import type { Step, Vocabulary } from './filter.ts';

export interface StepRegistry {
  /** `undefined` when nothing has that name. */
  stepNamed(name: string): Step | undefined;
  /** All names and aliases, for the nearest to a mistyped one. */
  readonly names: readonly string[];
  /** Each step once, in alphabetical order. */
  readonly steps: readonly Step[];
  /** What the options of these steps may name. */
  readonly vocabulary: Vocabulary;
  /** A plugin could not be loaded whole: a name that is not known may be one of its parts. */
  readonly isIncomplete?: boolean;
}

/** The steps that one configuration may use, with those of its plugins. */
export interface ConfigSteps {
  readonly registry: StepRegistry;
  /** What is wrong with its `modules`; paths are those of the document. */
  readonly mistakes: readonly ConfigMistake[];
}

/** Finds them for the text of a router's configuration, before anything else in it is looked at. */
export type StepsOf = (text: string, file: string) => Promise<ConfigSteps>;

/** Throws `InvariantError` when two steps claim one name. */
export function stepRegistry(steps: readonly Step[], vocabulary: Vocabulary): StepRegistry {
  const byName = new Map<string, Step>();
  for (const step of steps) {
    for (const name of [step.name, ...(step.aliases ?? [])]) {
      must(!byName.has(name), `two steps are called ${name}`);
      byName.set(name, step);
    }
  }
  return {
    stepNamed: (name) => byName.get(name),
    names: [...byName.keys()],
    steps: steps.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    vocabulary,
  };
}
