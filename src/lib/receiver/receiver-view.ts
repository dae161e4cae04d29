/**
 * A transaction as a receiver shows it: the JSON of a router, but for the body. A router looks there for the places to upload to, for the
 * place of the parsed message, and for what is complete; that is said explicitly (protocol §1.11).
 */
import { transactionUri, viewToJson } from '../http/wire-view.ts';
import type { ReceivedFile } from './received-file.ts';
import type { ReceivedTransaction } from './received-transaction.ts';

export function receiverView(tx: ReceivedTransaction, base: string): object {
  const { live, origin } = tx;
  const uri = transactionUri(base, live.id);
  const bases = { sessionUri: base, serviceUri: base };
  const view = { id: live.id, version: live.version, state: live.state, origin, body: undefined };
  const status = (path: string, file: ReceivedFile): object => ({ uri: `${uri}/${path}`, finalized: file.isFinalized });
  const parts = [...tx.parts].map(([id, file]) => [id, status(`blob/${encodeURIComponent(id)}`, file)]);
  return {
    ...viewToJson(view, bases),
    body: {
      blob_status: status('body', tx.message),
      message_builder: tx.isParsed ? { blob_status: Object.fromEntries(parts) } : { uri: `${uri}/message_builder` },
    },
  };
}
