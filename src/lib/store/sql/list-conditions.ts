/** From what a list is asked for to conditions of SQL: one that an index answers in order, and the rest. */
import { OPEN_STATES } from '../../core/listed-state.ts';
import type { ListFilter } from '../list.ts';
import type { SqlValue } from './sql.ts';

export interface Condition {
  readonly text: string;
  readonly params: readonly SqlValue[];
}

export interface ListConditions {
  /** Has an index whose entries are in the order of the list, or few. */
  readonly key: Condition;
  readonly others: readonly Condition[];
}

/** As the index of everything says it. */
const everything: Condition = { text: 'input_done >= 0', params: [] };

/** The condition that leaves fewest rows, as a rule, becomes the key: a parent, a recipient, what is open or went wrong, a sender. */
export function listConditions(filter: ListFilter): ListConditions {
  const { to, from, parent, sender, senders, state } = filter;
  const keys = [
    ...(parent === undefined ? [] : [equal('parent_id', parent)]),
    ...(to !== undefined && 'address' in to ? [equal('rcpt_address', to.address)] : []),
    ...stateKey(state),
    ...(sender === undefined ? [] : [equal('sender', sender)]),
  ];
  const [key = everything, ...others] = keys;
  const rest = [
    ...stateRest(state),
    ...(from === undefined ? [] : [equal('mail_from_address', from)]),
    ...(to !== undefined && 'domain' in to ? [equal('rcpt_domain', to.domain)] : []),
    ...(senders === undefined ? [] : [oneOf(senders)]),
  ];
  return { key, others: [...others, ...rest] };
}

function equal(column: string, value: string): Condition {
  return { text: `${column} = ?`, params: [value] };
}

function oneOf(senders: readonly string[]): Condition {
  if (senders.length === 0) return { text: '1 = 0', params: [] };
  return { text: `sender in (${senders.map(() => '?').join(', ')})`, params: senders };
}

/** The words of the partial indexes: what most transactions are is not in them. What is in work is no more than routers have in memory. */
function stateKey(state: ListFilter['state']): readonly Condition[] {
  if (state === undefined || state === 'delivered') return [];
  if (state === 'uncertain') return [{ text: 'uncertain = 1', params: [] }];
  if (state === 'active') return [{ text: 'lease_session_id is not null', params: [] }];
  if (OPEN_STATES.has(state)) return [{ text: 'final_outcome is null and lease_session_id is null', params: [] }];
  return [{ text: "final_outcome <> 'delivered'", params: [] }];
}

function stateRest(state: ListFilter['state']): readonly Condition[] {
  switch (state) {
    case undefined:
    case 'uncertain':
    case 'active':
      return [];
    case 'deferred':
      return [{ text: 'input_done = 1 and uncertain = 0', params: [] }];
    case 'incomplete':
      return [{ text: 'input_done = 0', params: [] }];
    default:
      return [equal('final_outcome', state)];
  }
}
