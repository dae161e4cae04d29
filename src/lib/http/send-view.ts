/**
 * Answers that show a transaction. Head and text go out together in one write, which Fastify's way of sending (a buffer, lest it adds a charset
 * that the Python original does not understand) would make two.
 */
import { FRAMES, FRAMES_HEADER } from './frame.ts';
import { PREFERENCE_APPLIED, RETURNS_VIEW } from './prefer.ts';
import type { TransactionView } from './service.ts';
import { DSN_HEADER, dsnHeader } from './wire-dsn.ts';
import { type BaseUris, transactionUri, viewToJson } from './wire-view.ts';

/** What takes an answer that is complete: the framework's reply, or that of a frame. */
export interface Answering {
  /** The framework is not to answer by itself. */
  hijack(): unknown;
  readonly raw: {
    writeHead(status: number, headers: Headers): unknown;
    end(text: string): unknown;
  };
}

type Headers = Record<string, string | number>;

const JSON_TYPE = 'application/json';

/** 200, with the transaction. */
export function sendView<R extends Answering>(reply: R, view: TransactionView, bases: BaseUris): R {
  return sendText(reply, 200, headersOf(view), textOf(view, bases));
}

/** 201, with the transaction and where it is. */
export function sendCreated<R extends Answering>(reply: R, view: TransactionView, bases: BaseUris): R {
  const headers = headersOf(view);
  headers.location = transactionUri(bases.sessionUri, view.id);
  return sendText(reply, 201, headers, textOf(view, bases));
}

/** 200, with how far an upload has come. */
export function sendProgress<R extends Answering>(reply: R, progress: string | undefined): R {
  const headers: Headers = { 'content-type': JSON_TYPE };
  if (progress !== undefined) headers['content-range'] = progress;
  return sendText(reply, 200, headers, '{}');
}

/** The same with the transaction, for a client that prefers to have it. */
export function sendViewAfterUpload<R extends Answering>(
  reply: R,
  view: TransactionView,
  bases: BaseUris,
  progress: string | undefined,
): R {
  const headers = headersOf(view);
  headers[PREFERENCE_APPLIED] = RETURNS_VIEW;
  if (progress !== undefined) headers['content-range'] = progress;
  return sendText(reply, 200, headers, textOf(view, bases));
}

function headersOf(view: TransactionView): Headers {
  return {
    'content-type': JSON_TYPE,
    etag: String(view.version),
    [DSN_HEADER]: dsnHeader(view.state),
    [FRAMES_HEADER]: FRAMES,
  };
}

function textOf(view: TransactionView, bases: BaseUris): string {
  return JSON.stringify(viewToJson(view, bases));
}

function sendText<R extends Answering>(reply: R, status: number, headers: Headers, text: string): R {
  headers['content-length'] = Buffer.byteLength(text);
  reply.hijack();
  reply.raw.writeHead(status, headers);
  reply.raw.end(text);
  return reply;
}
