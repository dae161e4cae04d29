/** Reads one transaction with its blobs and attempts. */
import {
  ATTEMPT_COLUMNS,
  type AttemptRow,
  type BlobRow,
  READ_TX_COLUMNS,
  type ReadTxRow,
  storedTransaction,
} from '../rows.ts';
import type { StoredTransaction } from '../store.ts';
import type { Sql } from './sql.ts';

const SELECT_TX = `select ${READ_TX_COLUMNS.map((column) => `t.${column}`).join(', ')}, s.uri as session_uri
  from transactions t left join sessions s on s.id = t.lease_session_id where t.id = ?`;

export async function loadTransaction(
  sql: Sql,
  args: { readonly txId: string },
): Promise<StoredTransaction | undefined> {
  const [found, blobs, attempts] = await Promise.all([
    sql.all<ReadTxRow & { session_uri: string | null }>(SELECT_TX, [args.txId]),
    sql.all<BlobRow>(
      `select b.id, r.name, b.length, b.total_length from blob_references r join blobs b on b.id = r.blob_id
        where r.transaction_id = ? order by r.name`,
      [args.txId],
    ),
    sql.all<AttemptRow>(`select ${ATTEMPT_COLUMNS.join(', ')} from attempts where transaction_id = ? order by number`, [
      args.txId,
    ]),
  ]);
  const row = found[0];
  return row === undefined ? undefined : storedTransaction(row, row.session_uri, blobs, attempts);
}
