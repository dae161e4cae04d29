/**
 * Finds transactions, the newest first. One condition of the question is looked up in an index that is in the order of the answer; the others
 * are tried on what it finds, of which no more than a bounded number is looked at. So a page costs the same in a database of any size, and
 * a page of a rare combination may be short, or empty, and still have a next one.
 */
import { limits } from '../../core/limits.ts';
import type { ListAsk, ListPage, ListPosition } from '../list.ts';
import { ATTEMPT_COLUMNS, type AttemptRow, listedTransaction, READ_TX_COLUMNS, type ReadTxRow } from '../rows.ts';
import { type Condition, listConditions } from './list-conditions.ts';
import type { Sql, SqlValue } from './sql.ts';

type ListedRow = ReadTxRow & {
  readonly session_uri: string | null;
  readonly attempt_number: number | null;
  readonly attempt_started_at: number | null;
  readonly attempt_ended_at: number | null;
  readonly attempt_replies: string | null;
  readonly attempt_hosts: string | null;
  readonly attempt_dot_sent_at: number | null;
};

const ORDER = 'order by created_at desc, id desc';

const SELECT = `select ${READ_TX_COLUMNS.map((column) => `t.${column}`).join(', ')}, s.uri as session_uri,
    ${ATTEMPT_COLUMNS.map((column) => `a.${column} as attempt_${column}`).join(', ')}`;

const JOINS = `join transactions t on t.id = page.id
  left join sessions s on s.id = t.lease_session_id
  left join attempts a on a.transaction_id = t.id
    and a.number = (select max(number) from attempts newest where newest.transaction_id = t.id)`;

export async function listTransactions(sql: Sql, ask: ListAsk): Promise<ListPage> {
  const { key, others } = listConditions(ask.filter);
  const found = range(key, ask.before);
  const page = pageOf(found, others, ask.limit + 1);
  const rows = await sql.all<ListedRow>(
    `${SELECT} from (${page.text}) page ${JOINS} order by t.created_at desc, t.id desc`,
    page.params,
  );
  const transactions = rows
    .slice(0, ask.limit)
    .map((row) => listedTransaction(row, row.session_uri, newestAttempt(row)));
  const last = transactions.at(-1)?.record;
  const isFull = rows.length > ask.limit && last !== undefined;
  const next = isFull ? { createdAt: last.createdAt, id: last.id } : await scannedTo(sql, found, others);
  return { transactions, ...(next !== undefined && { next }) };
}

/** What the index finds after (that is, before in time) a position. */
function range(key: Condition, before: ListPosition | undefined): Condition {
  if (before === undefined) return key;
  return { text: `${key.text} and (created_at, id) < (?, ?)`, params: [...key.params, before.createdAt, before.id] };
}

function pageOf(found: Condition, others: readonly Condition[], limit: number): Condition {
  if (others.length === 0) {
    return {
      text: `select id from transactions where ${found.text} ${ORDER} limit ?`,
      params: [...found.params, limit],
    };
  }
  const columns =
    'id, created_at, sender, rcpt_address, rcpt_domain, mail_from_address, final_outcome, lease_session_id, input_done, uncertain, parent_id';
  const scanned = `select ${columns} from transactions where ${found.text} ${ORDER} limit ?`;
  const text = others.map((other) => other.text).join(' and ');
  return {
    text: `select id from (${scanned}) scanned where ${text} ${ORDER} limit ?`,
    params: [...found.params, limits.listScanRows, ...others.flatMap(({ params }) => params), limit],
  };
}

/** Where the bounded look ended, when there is more behind it. */
async function scannedTo(sql: Sql, found: Condition, others: readonly Condition[]): Promise<ListPosition | undefined> {
  if (others.length === 0) return undefined;
  const rows = await sql.all<{ id: string; created_at: number }>(
    `select id, created_at from transactions where ${found.text} ${ORDER} limit 1 offset ?`,
    [...found.params, limits.listScanRows - 1] satisfies SqlValue[],
  );
  const row = rows[0];
  return row === undefined ? undefined : { createdAt: row.created_at, id: row.id };
}

function newestAttempt(row: ListedRow): AttemptRow | undefined {
  if (row.attempt_number === null) return undefined;
  return {
    number: row.attempt_number,
    started_at: row.attempt_started_at ?? 0,
    ended_at: row.attempt_ended_at,
    replies: row.attempt_replies ?? '{"rcpt":[]}',
    hosts: row.attempt_hosts,
    dot_sent_at: row.attempt_dot_sent_at,
  };
}
