/** Transactions to put into a store. */
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import type { AttemptRecord, BlobSource, NewTransaction, NextStep, TxRecord } from '../../src/lib/store/store.ts';
import { BODY_BLOB } from '../../src/lib/store/store.ts';

export function sampleRecord(id: string, more: Partial<TxRecord> = {}): TxRecord {
  return {
    id,
    sender: 'submission',
    origin: {},
    mailFrom: mailbox('alice@example.com'),
    rcptTo: [mailbox('bob@example.org')],
    retry: true,
    notification: true,
    createdAt: 1000,
    filterOutput: {},
    ...more,
  };
}

export interface SampleOptions {
  readonly next?: NextStep;
  readonly body?: Body | BlobSource;
  readonly attempts?: readonly AttemptRecord[];
  readonly record?: Partial<TxRecord>;
}

export function sampleTransaction(id: string, options: SampleOptions = {}): NewTransaction {
  const body = options.body ?? memoryBody(Buffer.from('Subject: hi\r\n\r\nhello\r\n'));
  return {
    record: sampleRecord(id, options.record),
    blobs: [{ name: BODY_BLOB, source: 'kind' in body ? body : { kind: 'body', body } }],
    attempts: options.attempts ?? [],
    next: options.next ?? { kind: 'due', at: 1000 },
  };
}
