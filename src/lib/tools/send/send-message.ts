/**
 * Sends one message to several recipients: a transaction for each, because each has an answer of its own. What is uploaded for the first is
 * reused by the others.
 */
import { exitCodes, UserError } from '../../core/errors.ts';
import { startDeadline } from '../../http/deadline.ts';
import { isJsonObject, resolveUrl } from '../../http/request.ts';
import { PART_LISTS } from '../../message/builder-spec.ts';
import { readVerdict, type Verdict } from '../verdict.ts';
import {
  cancelTransaction,
  createTransaction,
  follow,
  type RestDeps,
  type RestTransaction,
  readTransaction,
  UnreachableError,
  upload,
} from './rest-transaction.ts';
import type { Json, LocalFile, Submission } from './submission.ts';

export interface SendAsk {
  /** The router's base URL. */
  readonly url: URL;
  readonly sender: string;
  readonly tag?: string;
  readonly mailFrom: string;
  readonly recipients: readonly string[];
  readonly submission: Submission;
  /** How long to wait for the verdicts, once everything is handed over; 0: not at all. */
  readonly waitMs: number;
}

export interface SendResult extends Verdict {
  readonly recipient: string;
  /** The transaction, when there is one. */
  readonly transaction?: string;
}

/** Where what was uploaded for an earlier recipient can be found again: the message under `body`, parts under their names. */
type Uploaded = Map<string, string>;

const MESSAGE = 'body';

/** One result for each recipient, in their order; never rejects for what the router, the network or the far end does. */
export async function sendMessage(deps: RestDeps, ask: SendAsk): Promise<readonly SendResult[]> {
  const uploaded: Uploaded = new Map();
  const submitted: { readonly recipient: string; readonly tx: RestTransaction | UserError }[] = [];
  for (const recipient of ask.recipients) {
    const last = submitted.at(-1)?.tx;
    const tx = last instanceof UnreachableError ? last : await submit(deps, ask, recipient, uploaded).catch(userError);
    submitted.push({ recipient, tx });
  }
  const deadline = startDeadline(deps.clock, ask.waitMs);
  try {
    return await Promise.all(
      submitted.map(async ({ recipient, tx }) => {
        if (tx instanceof UserError) return { recipient, ...errorVerdict(tx) };
        const transaction = tx.url.href;
        if (ask.waitMs === 0) return { recipient, transaction, state: 'submitted', exitCode: exitCodes.ok } as const;
        const last = await follow(deps, tx, deadline).catch(userError);
        return { recipient, transaction, ...(last instanceof UserError ? errorVerdict(last) : verdictOf(last)) };
      }),
    );
  } finally {
    deadline.clear();
  }
}

async function submit(deps: RestDeps, ask: SendAsk, recipient: string, uploaded: Uploaded): Promise<RestTransaction> {
  const url = new URL(`${ask.url.href.replace(/\/$/, '')}/senders/${encodeURIComponent(ask.sender)}/transactions`);
  const tx = await createTransaction(deps, url, {
    mail_from: { m: ask.mailFrom },
    rcpt_to: [{ m: recipient }],
    ...(ask.tag !== undefined && { sender: { tag: ask.tag } }),
    ...bodyJson(ask.submission, uploaded),
  });
  try {
    for (const [name, source] of sources(ask.submission)) {
      if (uploaded.has(name)) continue;
      const blob = blobUrl(tx, name);
      await upload(deps, blob, source);
      uploaded.set(name, blob.href);
    }
    return tx;
  } catch (error) {
    // The upload may have been pointless: when the recipient was refused meanwhile, that is the answer.
    const now = await readTransaction(deps, tx).catch(userError);
    if (!(now instanceof UserError) && readVerdict(now.view).isSettled) return now;
    await cancelTransaction(deps, tx);
    throw error;
  }
}

function bodyJson(submission: Submission, uploaded: Uploaded): Json {
  if (submission.kind === 'message') {
    const reuse_uri = uploaded.get(MESSAGE);
    return reuse_uri === undefined ? {} : { body: { reuse_uri } };
  }
  const lists = PART_LISTS.flatMap((list) => {
    const parts = submission.json[list];
    return Array.isArray(parts) ? [[list, parts.map((part: unknown) => reusing(part, uploaded))]] : [];
  });
  return { body: { message_builder: { ...submission.json, ...Object.fromEntries(lists) } } };
}

/** The name is given as well: the URI goes before it, and both sides go on calling the part the same. */
function reusing(part: unknown, uploaded: Uploaded): unknown {
  if (!isJsonObject(part) || !isJsonObject(part.content) || typeof part.content.create_id !== 'string') return part;
  const reuse_uri = uploaded.get(part.content.create_id);
  return reuse_uri === undefined ? part : { ...part, content: { ...part.content, reuse_uri } };
}

function sources(submission: Submission): Iterable<readonly [string, Buffer | LocalFile]> {
  return submission.kind === 'message' ? [[MESSAGE, submission.bytes]] : submission.files;
}

function blobUrl({ url, view }: RestTransaction, name: string): URL {
  const body = isJsonObject(view.body) ? view.body : {};
  const builder = isJsonObject(body.message_builder) ? body.message_builder : {};
  const blobs = isJsonObject(builder.blob_status) ? builder.blob_status : {};
  const status = name === MESSAGE ? body.blob_status : blobs[name];
  const uri = isJsonObject(status) && typeof status.uri === 'string' ? resolveUrl(status.uri, url) : undefined;
  if (uri === undefined) throw new UserError(`the router did not say where to upload ${name}`, exitCodes.protocol);
  return uri;
}

function verdictOf({ view }: RestTransaction): Verdict {
  const { isSettled: _, ...verdict } = readVerdict(view);
  return verdict;
}

function errorVerdict({ message, exitCode }: UserError): Verdict {
  return { state: 'error', reason: message, exitCode };
}

function userError(error: unknown): UserError {
  if (error instanceof UserError) return error;
  throw error;
}
