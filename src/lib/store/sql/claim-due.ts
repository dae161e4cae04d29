/** Leases due transactions to a session and starts their next attempt. The partial index on the due time is all that is looked at. */
import type { PassedOver } from '../passed-over.ts';
import { repliesText } from '../rows.ts';
import type { StoredTransaction } from '../store.ts';
import { loadTransaction } from './load-transaction.ts';
import { keepRows, type Sql, type SqlValue, skipLocked } from './sql.ts';

export interface Claim {
  readonly sessionId: number;
  readonly now: number;
  readonly limit: number;
  readonly passedOver: PassedOver;
}

/** Answers the earliest due first; nothing to a session that was declared dead. */
export async function claimDue(sql: Sql, claim: Claim): Promise<readonly StoredTransaction[]> {
  const others = butFor(claim.passedOver);
  const due = await sql.all<{ id: string }>(
    `select id from transactions where next_attempt_at is not null and input_done = 1 and next_attempt_at <= ?${others.text}
      order by next_attempt_at limit ?${skipLocked(sql)}`,
    [claim.now, ...others.params, claim.limit],
  );
  if (due.length === 0) return [];
  const live = await sql.all(`select id from sessions where id = ?${keepRows(sql)}`, [claim.sessionId]);
  if (live.length === 0) return [];
  const claimed = await Promise.all(due.map(({ id }) => start(sql, id, claim)));
  return claimed.filter((tx) => tx !== undefined);
}

/** The index has these columns too: whoever floods is passed over without a look at the rows. */
function butFor({ shares, lanes }: PassedOver): { readonly text: string; readonly params: readonly SqlValue[] } {
  const share = "sender || coalesce(' ' || tag, '')";
  const lane = `${share} || ' ' || coalesce(rcpt_domain, '')`;
  const [from, to] = [filledUp(shares), filledUp(lanes)];
  return { text: notAmong(share, from) + notAmong(lane, to), params: [...from, ...to] };
}

/** Statements are prepared once and kept, so there must not be one for each number: the last text stands again until there are 1, 10, 100 or more. */
function filledUp(texts: readonly string[]): readonly string[] {
  const last = texts.at(-1);
  if (last === undefined) return texts;
  let length = 1;
  while (length < texts.length) length *= 10;
  return [...texts, ...new Array<string>(length - texts.length).fill(last)];
}

function notAmong(value: string, texts: readonly string[]): string {
  return texts.length === 0 ? '' : ` and ${value} not in (${texts.map(() => '?').join(', ')})`;
}

async function start(sql: Sql, txId: string, claim: Claim): Promise<StoredTransaction | undefined> {
  const [, , loaded] = await Promise.all([
    sql.run(
      'update transactions set lease_session_id = ?, next_attempt_at = null, version = version + 1, updated_at = ? where id = ?',
      [claim.sessionId, claim.now, txId],
    ),
    sql.run(
      `insert into attempts (transaction_id, number, started_at, replies)
        select t.id, coalesce(max(a.number), case when t.first_replies is null then 0 else 1 end) + 1, cast(? as bigint), cast(? as text)
        from transactions t left join attempts a on a.transaction_id = t.id where t.id = ? group by t.id`,
      [claim.now, repliesText({ rcpt: [] }), txId],
    ),
    loadTransaction(sql, { txId }),
  ]);
  return loaded;
}

/** The instant at which the next transaction falls due. */
export async function nextDueAt(sql: Sql): Promise<number | undefined> {
  const rows = await sql.all<{ next_attempt_at: number }>(
    `select next_attempt_at from transactions where next_attempt_at is not null and input_done = 1
      order by next_attempt_at limit 1`,
    [],
  );
  return rows[0]?.next_attempt_at;
}
