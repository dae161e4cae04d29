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
  return {
    ...(origin.remoteHost && { remote_host: hostPortJson(origin.remoteHost) }),
    ...(origin.localHost && { local_host: hostPortJson(origin.localHost) }),
    ...(state.mailFrom && { mail_from: {} }),
    ...(state.rcptTo.length > 0 && { rcpt_to: state.rcptTo.map(() => ({})) }),
    sender: {},
    ...(Object.keys(state.filterOutput).length > 0 && { filter_output: {} }),
    ...(mail && { mail_response: responseJson(mail) }),
    ...(rcpts.length > 0 && { rcpt_response: rcpts.map(responseJson) }),
    ...(data && { data_response: responseJson(data) }),
    ...(state.attemptCount > 0 && { attempt_count: state.attemptCount }),
    ...(state.retry && { retry: {} }),
    ...(state.notification && { notification: {} }),
    ...(state.cancelled && { cancelled: true as const }),
    ...(state.final && { final_attempt_reason: state.final.text }),
    body: bodyJson(view, bases),
  };
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
