/** A plugin's filter as a filter of the registry: each phase guarded, each transaction with its own instance. */
import type { Filter, FilterDefinition, Next, Phase, TxContext } from '../chain/filter.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { nearestName } from '../core/nearest-name.ts';
import { checkedMailbox, fieldsOf } from './checked-answer.ts';
import { guardedBody } from './guarded-body.ts';
import { guardedCreate, guardedSchema } from './guarded-create.ts';
import { guardedPhase, type PhaseAsk } from './guarded-phase.ts';
import { pluginEnv } from './plugin-env.ts';
import { PluginFault } from './plugin-fault.ts';
import type { PluginFilter } from './plugin-filter.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';
import { PluginTx } from './plugin-tx.ts';

export function guardedFilter(plugin: string, definition: PluginFilter): FilterDefinition {
  const { name, summary, produces = [] } = definition;
  const part: PluginPart = { plugin, kind: 'filter', name };
  return {
    kind: 'filter',
    name,
    summary,
    produces,
    config: guardedSchema(part, 'filter', definition.config),
    create: (config, env) => {
      const make = guardedCreate(part, 'filter', () => definition.create(config, pluginEnv(env, plugin)));
      return () => instance({ part, produces, clock: env.deps.clock }, make);
    },
  };
}

interface Guard extends Pick<PhaseAsk<unknown>, 'part' | 'clock'> {
  readonly produces: NonNullable<PluginFilter['produces']>;
}

/** The filter of one transaction. What its making threw is answered to whatever is asked first. */
function instance({ part, produces, clock }: Guard, make: () => Filter): Filter {
  let filter: Filter;
  try {
    filter = checkedFilter(inPlugin(part, make));
  } catch (error) {
    const fault = PluginFault.of(part, error);
    const failing = (): Promise<never> => Promise.reject(fault);
    filter = { mail: failing, rcpt: failing, data: failing };
  }
  let seen: PluginTx | undefined;
  const phase = <T>(
    name: Phase,
    checked: (value: unknown) => T,
  ): ((tx: TxContext, value: T, next: Next<T>) => ReturnType<Next<T>>) => {
    return (tx, value, next) => {
      // A filter never changes its argument: others hold the same path. A body only has methods.
      if (name !== 'data') freezePath(value);
      seen ??= new PluginTx(tx, part, produces);
      const own = seen;
      // Called as a method, for filters that are objects of a class.
      const run = (onward: Next<T>) => (filter[name] as NonNullable<Call<T>>).call(filter, own, value, onward);
      const sound = (passed: unknown): T => (passed === value ? value : checked(passed));
      return guardedPhase({ part, phase: name, clock, tx, next, checked: sound, run });
    };
  };
  return {
    ...(filter.mail !== undefined && { mail: phase('mail', checkedMailbox) }),
    ...(filter.rcpt !== undefined && { rcpt: phase('rcpt', checkedMailbox) }),
    ...(filter.data !== undefined && { data: phase('data', (value) => guardedBody(part, value)) }),
  };
}

function freezePath(value: unknown): void {
  Object.freeze(Object.freeze(value as Mailbox).params);
}

type Call<T> = (tx: TxContext, value: T, next: Next<T>) => ReturnType<Next<T>>;

/** A phase that is misspelt would never be asked, and everything would pass. */
function checkedFilter(value: unknown): Filter {
  if (value instanceof Promise) throw new TypeError('expected a filter {mail, rcpt, data}, not a promise');
  const fields = fieldsOf(value, 'a filter {mail, rcpt, data}');
  const missing = PHASES.filter((phase) => fields[phase] === undefined);
  for (const [key, member] of Object.entries(fields)) {
    const isPhase = typeof member !== 'function' || PHASES.some((phase) => phase === key);
    const meant = isPhase ? undefined : nearestName(key, missing);
    if (meant !== undefined) throw new TypeError(`a filter has no phase '${key}' (did you mean '${meant}'?)`);
  }
  return value as Filter;
}

const PHASES = ['mail', 'rcpt', 'data'] as const satisfies Phase[];
