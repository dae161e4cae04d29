/** How a transaction looks to its REST client, whether it is in work here or only in the store. */
import type { TransactionView } from '../http/service.ts';
import { BODY_BLOB, type StoredTransaction } from '../store/store.ts';
import { stateOf } from './stored-state.ts';
import type { Work } from './work.ts';

type BodyView = TransactionView['body'];

function bodyView(
  isBuilder: boolean,
  blobs: readonly { readonly name: string; readonly finalized: boolean }[],
): BodyView {
  if (!isBuilder)
    return { kind: 'plain', finalized: blobs.some(({ name, finalized }) => name === BODY_BLOB && finalized) };
  return { kind: 'builder', blobs: blobs.map(({ name, finalized }) => ({ name, finalized })) };
}

export function viewOfWork(work: Work): TransactionView {
  const { live, facts } = work;
  return {
    id: facts.id,
    version: live.version,
    state: live.state,
    origin: facts.origin,
    body: bodyView(facts.messageBuilder !== undefined, work.blobs),
  };
}

export function viewOfStored(stored: StoredTransaction): TransactionView {
  const { record } = stored;
  return {
    id: record.id,
    version: stored.version,
    state: stateOf(stored),
    origin: record.origin,
    body: bodyView(record.messageBuilder !== undefined, stored.blobs),
  };
}
