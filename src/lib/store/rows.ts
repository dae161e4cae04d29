/** Between what Koukan knows of a transaction and its row: the only file that knows how either is written as columns. */
import type { HostPort, Origin } from '../core/envelope.ts';
import { domainOf, type Mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';
import type { FilterOutput, Final, Replies } from '../core/transaction.ts';
import { FIRST_ATTEMPT_COLUMNS, type FirstAttemptColumns, firstAttempt } from './first-attempt.ts';
import type { ListedTransaction } from './list.ts';
import type { AttemptRecord, BlobStatus, NextStep, StoredTransaction, TxRecord } from './store.ts';

/** A row of `transactions`. A type, not an interface, so that it is a plain record to the SQL layer. */
export type TxRow = {
  readonly id: string;
  readonly sender: string;
  readonly tag: string | null;
  readonly parent_id: string | null;
  readonly origin: string;
  readonly mail_from: string | null;
  readonly rcpt_to: string;
  readonly message_builder: string | null;
  readonly filter_output: string;
  readonly retry: number;
  readonly notification: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly version: number;
  readonly input_done: number;
  readonly cancelled: number;
  readonly final_outcome: string | null;
  readonly final_text: string | null;
  readonly next_attempt_at: number | null;
  readonly lease_session_id: number | null;
  /** 1: nobody knows whether it was delivered, and nobody tries again until somebody has decided. */
  readonly uncertain: number;
};

/** Named in every statement: with `*`, prepared statements break when a newer replica adds a column. */
export const TX_COLUMNS = [
  'id',
  'sender',
  'tag',
  'parent_id',
  'origin',
  'mail_from',
  'rcpt_to',
  'message_builder',
  'filter_output',
  'retry',
  'notification',
  'created_at',
  'updated_at',
  'version',
  'input_done',
  'cancelled',
  'final_outcome',
  'final_text',
  'next_attempt_at',
  'lease_session_id',
  'uncertain',
] as const satisfies readonly (keyof TxRow)[];

/** What a transaction is found by; written once, with the row, and read by nobody else. Addresses are in lower case. */
export type SearchColumns = {
  readonly rcpt_address: string | null;
  readonly rcpt_domain: string | null;
  readonly mail_from_address: string | null;
};

/** A row as it is first written. */
export type NewTxRow = TxRow & SearchColumns;

export const NEW_TX_COLUMNS = [
  ...TX_COLUMNS,
  'rcpt_address',
  'rcpt_domain',
  'mail_from_address',
] as const satisfies readonly (keyof NewTxRow)[];

export type AttemptRow = {
  readonly number: number;
  readonly started_at: number;
  readonly ended_at: number | null;
  readonly replies: string;
  /** JSON; null when none was offered the message. */
  readonly hosts: string | null;
  /** When the end of the message was handed to the far end; null: it was not, or that was not written down. */
  readonly dot_sent_at: number | null;
};

export const ATTEMPT_COLUMNS = [
  'number',
  'started_at',
  'ended_at',
  'replies',
  'hosts',
  'dot_sent_at',
] as const satisfies readonly (keyof AttemptRow)[];

/** A row as it is read. */
export type ReadTxRow = TxRow & FirstAttemptColumns;

export const READ_TX_COLUMNS = [
  ...TX_COLUMNS,
  ...FIRST_ATTEMPT_COLUMNS,
] as const satisfies readonly (keyof ReadTxRow)[];

/** A blob as one of a transaction's. */
export type BlobRow = {
  readonly id: number;
  readonly name: string;
  readonly length: number;
  readonly total_length: number | null;
};

/** The columns that say what happens to a transaction next. */
export type NextColumns = Pick<
  TxRow,
  'final_outcome' | 'final_text' | 'next_attempt_at' | 'lease_session_id' | 'uncertain'
>;

export function nextColumns(next: NextStep, sessionId: number | null): NextColumns {
  return {
    final_outcome: next.kind === 'final' ? next.final.outcome : null,
    final_text: next.kind === 'final' ? next.final.text : null,
    next_attempt_at: next.kind === 'due' ? next.at : null,
    lease_session_id: next.kind === 'leased' ? sessionId : null,
    uncertain: next.kind === 'uncertain' ? 1 : 0,
  };
}

/**
 * The row of a transaction that is being created. Each column is written out: an object of this many columns that is put together from
 * others is a slow one, to make and to hand to another thread.
 */
export function newTxRow(record: TxRecord, next: NextColumns, inputDone: boolean, now: number): NewTxRow {
  const rcpt = record.rcptTo[0]?.address;
  return {
    id: record.id,
    sender: record.sender,
    tag: record.tag ?? null,
    parent_id: record.parentId ?? null,
    origin: originText(record.origin),
    mail_from: record.mailFrom === undefined ? null : JSON.stringify(record.mailFrom),
    rcpt_to: JSON.stringify(record.rcptTo),
    message_builder: record.messageBuilder === undefined ? null : JSON.stringify(record.messageBuilder),
    filter_output: filterOutputText(record.filterOutput),
    retry: record.retry ? 1 : 0,
    notification: record.notification ? 1 : 0,
    created_at: record.createdAt,
    updated_at: now,
    version: 1,
    input_done: inputDone ? 1 : 0,
    cancelled: 0,
    final_outcome: next.final_outcome,
    final_text: next.final_text,
    next_attempt_at: next.next_attempt_at,
    lease_session_id: next.lease_session_id,
    uncertain: next.uncertain,
    rcpt_address: rcpt?.toLowerCase() ?? null,
    rcpt_domain: (rcpt === undefined ? undefined : domainOf(rcpt)) ?? null,
    mail_from_address: record.mailFrom?.address.toLowerCase() ?? null,
  };
}

/** What was said of a peer last, by the object that names him: all messages of a session have one. */
const originTexts = new WeakMap<HostPort, { readonly origin: Origin; readonly text: string }>();

function originText(origin: Origin): string {
  const { remoteHost, localHost, smtpMeta } = origin;
  if (remoteHost === undefined) return JSON.stringify(origin);
  const known = originTexts.get(remoteHost);
  if (known !== undefined && known.origin.localHost === localHost && known.origin.smtpMeta === smtpMeta) {
    return known.text;
  }
  const text = JSON.stringify(origin);
  originTexts.set(remoteHost, { origin, text });
  return text;
}

export function filterOutputText(output: FilterOutput): string {
  return JSON.stringify(output);
}

export function attemptRow(attempt: AttemptRecord): AttemptRow {
  return {
    number: attempt.number,
    started_at: attempt.startedAt,
    ended_at: attempt.endedAt ?? null,
    replies: repliesText(attempt.replies, attempt.isDelayReported),
    hosts: hostsText(attempt.hosts),
    dot_sent_at: attempt.dotSentAt ?? null,
  };
}

export function hostsText(hosts: readonly HostPort[] | undefined): string | null {
  return hosts === undefined || hosts.length === 0 ? null : JSON.stringify(hosts);
}

/** Recipients without a reply become `null`: JSON has no `undefined`. */
export function repliesText(replies: Replies, isDelayReported = false): string {
  return JSON.stringify(isDelayReported ? { ...replies, isDelayReported } : replies);
}

/** One transaction from its rows. `sessionUri` is that of the leasing session; `attempts` are those with rows of their own. */
export function storedTransaction(
  row: ReadTxRow,
  sessionUri: string | null,
  blobs: readonly BlobRow[],
  attempts: readonly AttemptRow[],
): StoredTransaction {
  const first = firstAttempt(row);
  const all = first === undefined ? attempts : [first, ...attempts];
  return { ...withoutBlobs(row, sessionUri, all), blobs: blobs.map(blobStatus) };
}

/** One transaction of a list. `other` is the newest attempt with a row of its own. */
export function listedTransaction(
  row: ReadTxRow,
  sessionUri: string | null,
  other: AttemptRow | undefined,
): ListedTransaction {
  const newest = other ?? firstAttempt(row);
  return withoutBlobs(row, sessionUri, newest === undefined ? [] : [newest]);
}

function withoutBlobs(row: TxRow, sessionUri: string | null, attempts: readonly AttemptRow[]): ListedTransaction {
  return {
    record: txRecord(row),
    attempts: attempts.map(attemptRecord),
    cancelled: row.cancelled === 1,
    inputDone: row.input_done === 1,
    uncertain: row.uncertain === 1,
    version: row.version,
    ...(row.final_outcome === null ? {} : { final: final(row.final_outcome, row.final_text) }),
    ...(row.next_attempt_at === null ? {} : { nextAttemptAt: row.next_attempt_at }),
    ...(row.lease_session_id === null
      ? {}
      : { lease: { sessionId: String(row.lease_session_id), uri: sessionUri ?? '' } }),
  };
}

export function blobStatus(row: BlobRow): BlobStatus {
  return {
    name: row.name,
    length: row.length,
    ...(row.total_length === null ? {} : { total: row.total_length }),
    finalized: row.total_length === row.length,
  };
}

function txRecord(row: TxRow): TxRecord {
  return {
    id: row.id,
    sender: row.sender,
    ...(row.tag === null ? {} : { tag: row.tag }),
    ...(row.parent_id === null ? {} : { parentId: row.parent_id }),
    origin: JSON.parse(row.origin) as Origin,
    ...(row.mail_from === null ? {} : { mailFrom: JSON.parse(row.mail_from) as Mailbox }),
    rcptTo: JSON.parse(row.rcpt_to) as readonly Mailbox[],
    ...(row.message_builder === null ? {} : { messageBuilder: JSON.parse(row.message_builder) as unknown }),
    filterOutput: JSON.parse(row.filter_output) as FilterOutput,
    retry: row.retry === 1,
    notification: row.notification === 1,
    createdAt: row.created_at,
  };
}

type StoredReplies = Omit<Replies, 'rcpt'> & {
  readonly rcpt: readonly (Response | null)[];
  readonly isDelayReported?: boolean;
};

function attemptRecord(row: AttemptRow): AttemptRecord {
  const { isDelayReported, ...stored } = JSON.parse(row.replies) as StoredReplies;
  return {
    number: row.number,
    startedAt: row.started_at,
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at }),
    replies: { ...stored, rcpt: stored.rcpt.map((reply) => reply ?? undefined) },
    ...(isDelayReported === true && { isDelayReported }),
    ...(row.hosts === null ? {} : { hosts: JSON.parse(row.hosts) as readonly HostPort[] }),
    ...(row.dot_sent_at === null ? {} : { dotSentAt: row.dot_sent_at }),
  };
}

function final(outcome: string, text: string | null): Final {
  return { outcome: outcome as Final['outcome'], text: text ?? '' };
}
