/** Lists and histories as JSON. Unlike the view of a transaction, which upstream's clients are strict about, these show everything. */
import type { HostPort } from '../core/envelope.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { type Response, responseLines } from '../core/response.ts';
import type { HistoryJson, ListJson, SummaryJson } from './queue-schema.ts';
import type { AttemptStory, ListAnswer, TransactionHistory, TransactionSummary } from './queue-service.ts';
import { transactionUri } from './wire-view.ts';

/** `base` is the URL of any router; `next` that of the next page. */
export function listToJson({ transactions }: ListAnswer, base: string, next: string | undefined): ListJson {
  return {
    transactions: transactions.map((each) => summaryToJson(each, base)),
    ...(next !== undefined && { next }),
  };
}

export function summaryToJson(tx: TransactionSummary, base: string): SummaryJson {
  const { nextAttemptAt, lastReply, final } = tx;
  return {
    id: tx.id,
    uri: transactionUri(base, tx.id),
    sender: tx.sender,
    ...(tx.tag !== undefined && { tag: tx.tag }),
    created_at: time(tx.createdAt),
    ...(tx.mailFrom && { mail_from: tx.mailFrom.address }),
    rcpt_to: tx.rcptTo.map(({ address }) => address),
    state: tx.state,
    attempts: tx.attempts,
    ...(nextAttemptAt !== undefined && { next_attempt_at: time(nextAttemptAt) }),
    ...(lastReply && { last_reply: responseJson(lastReply) }),
    ...(final && { outcome: final.outcome, reason: final.text }),
    ...(tx.parentId !== undefined && { parent: tx.parentId }),
  };
}

export function historyToJson(tx: TransactionHistory, base: string): HistoryJson {
  const { remoteHost, localHost, smtpMeta } = tx.origin;
  return {
    ...summaryToJson(tx, base),
    envelope: {
      ...(tx.mailFrom && { mail_from: mailboxJson(tx.mailFrom) }),
      rcpt_to: tx.rcptTo.map(mailboxJson),
    },
    origin: {
      ...(remoteHost && { remote_host: hostJson(remoteHost) }),
      ...(localHost && { local_host: hostJson(localHost) }),
      ...(smtpMeta && {
        smtp_meta: { ehlo_host: smtpMeta.ehloHost, esmtp: smtpMeta.esmtp, tls: smtpMeta.tls, auth: smtpMeta.auth },
      }),
    },
    retry: tx.retry,
    notification: tx.notification,
    cancelled: tx.cancelled,
    signals: tx.signals,
    policies: tx.policies.map(({ rule, ...policy }) => ({ ...policy, name: rule })),
    attempt_list: tx.story.map(attemptJson),
    ...(tx.nextReason !== undefined && { next_reason: tx.nextReason }),
    ...(tx.inWorkAt !== undefined && { in_work_at: tx.inWorkAt }),
    blobs: tx.blobs.map(({ name, sizeBytes, finalized }) => ({ name, size: sizeBytes, finalized })),
    children: tx.children.map((child) => summaryToJson(child, base)),
  };
}

function attemptJson({
  number,
  startedAt,
  endedAt,
  dotSentAt,
  hosts,
  replies,
}: AttemptStory): HistoryJson['attempt_list'][number] {
  const { mail, rcpt, data } = replies;
  return {
    number,
    started_at: time(startedAt),
    ...(endedAt !== undefined && { ended_at: time(endedAt) }),
    ...(dotSentAt !== undefined && { dot_sent_at: time(dotSentAt) }),
    hosts: hosts.map(hostJson),
    ...(mail && { mail_response: responseJson(mail) }),
    ...(rcpt.length > 0 && { rcpt_response: rcpt.map((reply) => (reply === undefined ? null : responseJson(reply))) }),
    ...(data && { data_response: responseJson(data) }),
  };
}

function time(instant: number): string {
  return new Date(instant).toISOString();
}

function hostJson({ host, port }: HostPort): [string, number] {
  return [host, port];
}

function mailboxJson({ address, params }: Mailbox): HistoryJson['envelope']['rcpt_to'][number] {
  const e = params.map(({ keyword, value }) => ({ k: keyword, ...(value !== undefined && { p: value }) }));
  return { m: address, ...(e.length > 0 && { e }) };
}

function responseJson(response: Response): { code: number; message?: string } {
  const message = responseLines(response).join('\n');
  return message === '' ? { code: response.code } : { code: response.code, message };
}
