/** A plugin's matcher as a matcher of the registry. Nobody may guess an answer that could not be had: a fault fails the whole step. */
import type { Phase } from '../chain/filter.ts';
import type { MatcherDefinition } from '../matchers/matcher.ts';
import { checkedVerdict, shown } from './checked-answer.ts';
import { atLoad, guardedCreate, guardedSchema } from './guarded-create.ts';
import { pluginEnv } from './plugin-env.ts';
import { PluginFault } from './plugin-fault.ts';
import type { PluginMatcher } from './plugin-matcher.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';
import { PluginTx } from './plugin-tx.ts';

const PHASES: readonly unknown[] = ['mail', 'rcpt', 'data'] satisfies Phase[];

export function guardedMatcher(plugin: string, definition: PluginMatcher): MatcherDefinition {
  const { name, summary, reads, perRcpt = false, consumes = [] } = definition;
  const part: PluginPart = { plugin, kind: 'matcher', name };
  return {
    name,
    summary,
    consumes,
    config: guardedSchema(part, 'matcher', definition.config),
    reads: typeof reads === 'function' ? (config) => atLoad(part, 'filter', () => phaseOf(reads(config))) : reads,
    perRcpt:
      typeof perRcpt === 'function' ? (config) => atLoad(part, 'filter', () => perRcpt(config) === true) : perRcpt,
    create: (config, env) => {
      const matches = guardedCreate(part, 'matcher', () => definition.create(config, pluginEnv(env, plugin)));
      return (tx, rcpt) => {
        try {
          return checkedVerdict(inPlugin(part, () => matches(new PluginTx(tx, part), rcpt)));
        } catch (error) {
          throw PluginFault.of(part, error);
        }
      };
    },
  };
}

function phaseOf(value: unknown): Phase {
  if (PHASES.includes(value)) return value as Phase;
  throw new TypeError(`reads() must answer 'mail', 'rcpt' or 'data', not ${shown(value)}`);
}
