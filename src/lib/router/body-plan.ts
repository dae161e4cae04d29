/** What the body of a create request means for the store: which blobs the transaction has, and where their bytes come from. */
import { memoryBody } from '../core/body.ts';
import { type BodyAsk, RequestProblem } from '../http/service.ts';
import { textBytes } from '../http/text-bytes.ts';
import { normaliseBuilder } from '../message/normalise-builder.ts';
import { BODY_BLOB, type NewBlob } from '../store/store.ts';

export interface BodyPlan {
  readonly blobs: readonly NewBlob[];
  /** The message-builder JSON with every content the name of a blob. */
  readonly messageBuilder?: unknown;
  /** No upload is outstanding. */
  readonly isComplete: boolean;
}

/** Throws a `RequestProblem` with a pointer for JSON that cannot become a message. */
export function planBody(ask: BodyAsk | undefined): BodyPlan {
  if (ask === undefined) return plan([{ name: BODY_BLOB, source: { kind: 'open' } }]);
  switch (ask.kind) {
    case 'inline':
      return plan([{ name: BODY_BLOB, source: { kind: 'body', body: memoryBody(textBytes(ask.text)) } }]);
    case 'reuse':
      return plan([{ name: BODY_BLOB, source: { kind: 'reuse', txId: reusedTxId(ask.uri), name: BODY_BLOB } }]);
    case 'builder':
      return planBuilder(ask.spec);
  }
}

function plan(blobs: readonly NewBlob[], messageBuilder?: unknown): BodyPlan {
  const isComplete = blobs.every(({ source }) => source.kind !== 'open');
  return { blobs, isComplete, ...(messageBuilder !== undefined && { messageBuilder }) };
}

function planBuilder(spec: unknown): BodyPlan {
  const builder = normaliseBuilder(spec);
  if (!builder.ok) {
    const [first, ...others] = builder.mistakes;
    const more = others.map(({ pointer, detail }) => `; ${pointer}: ${detail}`).slice(0, 4);
    throw new RequestProblem(400, `${first?.detail ?? 'invalid message_builder'}${more.join('')}`, {
      ...(first !== undefined && { pointer: first.pointer }),
    });
  }
  return plan(
    builder.blobs.map(({ name, source }) => ({ name, source })),
    builder.spec,
  );
}

const BODY_URI = /^(?:[a-z][a-z0-9+.-]*:\/\/[^/]*)?(?:\/[^/]+)*\/transactions\/([^/?#]+)\/body$/i;

function reusedTxId(uri: string): string {
  const id = BODY_URI.exec(uri)?.[1];
  if (id === undefined) {
    throw new RequestProblem(400, 'reuse_uri must be the URI of a body: …/transactions/ID/body', {
      pointer: '/body/reuse_uri',
    });
  }
  return id;
}
