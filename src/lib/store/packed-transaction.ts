/** The rows of a transaction that is being created, packed: itself, its attempts, and which blobs it has. */
import type { RowReader, RowWriter } from './packed-rows.ts';
import type { AttemptRow, NewTxRow } from './rows.ts';
import type { NamedBlob, PlannedSource, PlannedTransaction } from './sql/create-transactions.ts';

/** Where the blob of a transaction comes from: a body of the plan is told by its index. */
const OPEN = -1;
const REUSED = -2;

export function packTransaction(to: RowWriter, { row, attempts, blobs }: PlannedTransaction): void {
  packRow(to, row);
  to.number(attempts.length);
  for (const attempt of attempts) packAttempt(to, attempt);
  to.number(blobs.length);
  for (const blob of blobs) packBlob(to, blob);
}

export function unpackTransaction(from: RowReader): PlannedTransaction {
  const row = unpackRow(from);
  const attempts: AttemptRow[] = [];
  for (let left = from.number(); left > 0; left -= 1) attempts.push(unpackAttempt(from));
  const blobs: NamedBlob[] = [];
  for (let left = from.number(); left > 0; left -= 1) blobs.push({ name: from.text(), source: unpackSource(from) });
  return { row, attempts, blobs };
}

function packRow(to: RowWriter, row: NewTxRow): void {
  to.text(row.id);
  to.text(row.sender);
  to.text(row.tag);
  to.text(row.parent_id);
  to.text(row.origin);
  to.text(row.mail_from);
  to.text(row.rcpt_to);
  to.text(row.message_builder);
  to.text(row.filter_output);
  to.number(row.retry);
  to.number(row.notification);
  to.number(row.created_at);
  to.number(row.updated_at);
  to.number(row.version);
  to.number(row.input_done);
  to.number(row.cancelled);
  to.text(row.final_outcome);
  to.text(row.final_text);
  to.number(row.next_attempt_at);
  to.number(row.lease_session_id);
  to.number(row.uncertain);
  to.text(row.rcpt_address);
  to.text(row.rcpt_domain);
  to.text(row.mail_from_address);
}

function unpackRow(from: RowReader): NewTxRow {
  return {
    id: from.text(),
    sender: from.text(),
    tag: from.textOrNull(),
    parent_id: from.textOrNull(),
    origin: from.text(),
    mail_from: from.textOrNull(),
    rcpt_to: from.text(),
    message_builder: from.textOrNull(),
    filter_output: from.text(),
    retry: from.number(),
    notification: from.number(),
    created_at: from.number(),
    updated_at: from.number(),
    version: from.number(),
    input_done: from.number(),
    cancelled: from.number(),
    final_outcome: from.textOrNull(),
    final_text: from.textOrNull(),
    next_attempt_at: from.numberOrNull(),
    lease_session_id: from.numberOrNull(),
    uncertain: from.number(),
    rcpt_address: from.textOrNull(),
    rcpt_domain: from.textOrNull(),
    mail_from_address: from.textOrNull(),
  };
}

export function packAttempt(to: RowWriter, attempt: AttemptRow): void {
  to.number(attempt.number);
  to.number(attempt.started_at);
  to.number(attempt.ended_at);
  to.text(attempt.replies);
  to.text(attempt.hosts);
  to.number(attempt.dot_sent_at);
}

export function unpackAttempt(from: RowReader): AttemptRow {
  return {
    number: from.number(),
    started_at: from.number(),
    ended_at: from.numberOrNull(),
    replies: from.text(),
    hosts: from.textOrNull(),
    dot_sent_at: from.numberOrNull(),
  };
}

function packBlob(to: RowWriter, { name, source }: NamedBlob): void {
  to.text(name);
  if (source.kind === 'body') to.number(source.index);
  else if (source.kind === 'open') to.number(OPEN);
  else {
    to.number(REUSED);
    to.text(source.txId);
    to.text(source.name);
  }
}

function unpackSource(from: RowReader): PlannedSource {
  const index = from.number();
  if (index === OPEN) return { kind: 'open' };
  if (index === REUSED) return { kind: 'reuse', txId: from.text(), name: from.text() };
  return { kind: 'body', index };
}
