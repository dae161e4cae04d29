/**
 * A transaction as its client sees it: the JSON of every 200 and 201, exactly as the upstream client demands it (protocol §1.9). Facts of the
 * connection are echoed verbatim, what the client sent is shown as placeholders, and `smtp_meta` is never shown.
 */
import type { HostPort } from '../core/envelope.ts';
import { type Response, responseLines } from '../core/response.ts';
import { answeredRcpts } from '../core/transaction.ts';
import type { TransactionView } from './service.ts';
import type { ViewJson } from './wire-schema.ts';

/** Absolute, without a slash at the end. */
export interface BaseUris {
  /** This replica: where transactions live and uploads go. */
  readonly sessionUri: string;
  /** Any replica: where finished blobs can be named. */
  readonly serviceUri: string;
}

export function transactionUri(base: string, id: string): string {
  return `${base}/transactions/${encodeURIComponent(id)}`;
}

export function viewToJson(view: TransactionView, bases: BaseUris): ViewJson {
  const { state, origin } = view;
  const { mail, data } = state.replies;
  const rcpts = answeredRcpts(state.replies);
  // What is undefined is left out of the text; an object whose keys are always the same is made faster.
  const json: Partial<Record<keyof ViewJson, unknown>> = {
    remote_host: origin.remoteHost && hostPortJson(origin.remoteHost),
    local_host: origin.localHost && hostPortJson(origin.localHost),
    mail_from: state.mailFrom && EMPTY,
    rcpt_to: state.rcptTo.length > 0 ? state.rcptTo.map(() => EMPTY) : undefined,
    sender: EMPTY,
    filter_output: isEmpty(state.filterOutput) ? undefined : EMPTY,
    mail_response: mail && responseJson(mail),
    rcpt_response: rcpts.length > 0 ? rcpts.map(responseJson) : undefined,
    data_response: data && responseJson(data),
    attempt_count: state.attemptCount > 0 ? state.attemptCount : undefined,
    retry: state.retry ? EMPTY : undefined,
    notification: state.notification ? EMPTY : undefined,
    cancelled: state.cancelled ? true : undefined,
    final_attempt_reason: state.final?.text,
    body: bodyJson(view, bases),
  };
  return json as ViewJson;
}

const EMPTY = {};

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

function hostPortJson({ host, port }: HostPort): [string, number] {
  return [host, port];
}

/** An empty message is left out: peers refuse empty values. */
function responseJson(response: Response): { code: number; message?: string } {
  const message = responseLines(response).join('\n');
  return message === '' ? { code: response.code } : { code: response.code, message };
}

function bodyJson({ id, body }: TransactionView, bases: BaseUris): NonNullable<ViewJson['body']> {
  const status = (finalized: boolean, path: string): { uri: string; finalized?: true } => {
    // What is not complete lives in one replica, perhaps only in its memory, so it is named there. (Upstream names a body that was not
    // begun by the service URI; clients look at the path only.)
    const base = finalized ? bases.serviceUri : bases.sessionUri;
    const uri = `${transactionUri(base, id)}/${path}`;
    return finalized ? { uri, finalized } : { uri };
  };
  if (body?.kind !== 'builder') return { blob_status: status(body?.finalized ?? false, 'body') };
  const blobs = body.blobs.map((blob) => [blob.name, status(blob.finalized, `blob/${encodeURIComponent(blob.name)}`)]);
  return { message_builder: { blob_status: Object.fromEntries(blobs) } };
}
