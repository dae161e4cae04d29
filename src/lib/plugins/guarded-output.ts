/** A plugin's output as an output of the registry. Nothing stands behind it, so that every fault is a 451. */
import type { OutputDefinition, Phase, TxContext } from '../chain/filter.ts';
import { refusing } from '../chain/refusing.ts';
import { must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Response } from '../core/response.ts';
import { guardedCreate, guardedSchema } from './guarded-create.ts';
import { guardedPhase, type PhaseAsk } from './guarded-phase.ts';
import { pluginEnv } from './plugin-env.ts';
import { PluginFault, pluginFailedReply } from './plugin-fault.ts';
import type { PluginOutput } from './plugin-output.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';
import { PluginTx } from './plugin-tx.ts';

export function guardedOutput(plugin: string, definition: PluginOutput): OutputDefinition {
  const { name, summary } = definition;
  const part: PluginPart = { plugin, kind: 'output', name };
  return {
    kind: 'output',
    name,
    summary,
    incremental: false,
    config: guardedSchema(part, 'filter', definition.config),
    create: (config, env) => {
      const open = guardedCreate(part, 'filter', () => definition.create(config, pluginEnv(env, plugin)));
      return (tx) => opened(part, () => open(new PluginTx(tx, part)), tx, env.deps.clock);
    },
  };
}

function opened(part: PluginPart, open: () => Exchange, tx: TxContext, clock: PhaseAsk<unknown>['clock']): Exchange {
  const fields = { plugin: part.plugin, output: part.name };
  let exchange: Exchange;
  try {
    exchange = inPlugin(part, open);
    for (const step of ['mail', 'rcpt', 'data', 'close'] as const) {
      must(typeof exchange?.[step] === 'function', `an exchange needs ${step}()`);
    }
  } catch (error) {
    tx.log.error({ ...fields, error: PluginFault.of(part, error) }, 'a plugin failed');
    return refusing(pluginFailedReply);
  }
  const ask = (phase: Phase, run: () => Promise<Response>): Promise<Response> =>
    guardedPhase({ part, phase, clock, tx, next: nothingBehind, checked: nothingBehind, run });
  return {
    mail: (from) => ask('mail', () => exchange.mail(from)),
    rcpt: (to) => ask('rcpt', () => exchange.rcpt(to)),
    data: (body) => ask('data', () => exchange.data(body)),
    async close() {
      try {
        await inPlugin(part, () => exchange.close());
      } catch (error) {
        tx.log.error({ ...fields, error: PluginFault.of(part, error) }, 'a plugin failed to close');
      }
    },
  };
}

function nothingBehind(): never {
  throw new TypeError('an output has no next()');
}
