/**
 * What two Koukans tell each other about RFC 3461 beside the JSON, whose keys the Python original holds to be complete: a header of answers says
 * that its sender takes the parameters over, and of a reply who gave it and who reports a success.
 *
 *   koukan-dsn: yes; handover=relayed; mta=mx.example.com
 */
import type { Handover, ReplySource, Response } from '../core/response.ts';
import type { TxState } from '../core/transaction.ts';
import type { PeerView } from './peer-view.ts';

export const DSN_HEADER = 'koukan-dsn';

/** What a header may say of a server's name. */
const MTA = /^[\w.:[\]-]{1,255}$/;
const HANDOVERS: ReadonlySet<string> = new Set<Handover>(['passed', 'relayed', 'delivered', 'reported']);

export function dsnHeader({ replies }: TxState): string {
  const source = replies.data?.source ?? replies.rcpt.find((reply) => reply?.source)?.source ?? replies.mail?.source;
  const { handover, mta = '' } = source ?? {};
  return `yes${handover === undefined ? '' : `; handover=${handover}`}${MTA.test(mta) ? `; mta=${mta}` : ''}`;
}

/** `undefined` from a peer that does not know of it. */
export function readDsnHeader(value: string | undefined): ReplySource | undefined {
  if (value === undefined || !/^yes *(;|$)/.test(value)) return undefined;
  const [mta, handover] = [paramOf(value, 'mta'), paramOf(value, 'handover')];
  return {
    ...(MTA.test(mta) && { mta }),
    ...(isHandover(handover) && { handover }),
  };
}

function paramOf(header: string, name: 'mta' | 'handover'): string {
  return new RegExp(`; *${name}=([^; ]+)`).exec(header)?.[1] ?? '';
}

function isHandover(word: string): word is Handover {
  return HANDOVERS.has(word);
}

/** The replies of a view with who gave them; only the answer to the message hands anything over. */
export function withSource(view: PeerView, { mta, handover }: ReplySource): PeerView {
  const by = (response: Response): Response => (mta === undefined ? response : { ...response, source: { mta } });
  const { mail, data } = view;
  return {
    ...view,
    ...(mail && { mail: by(mail) }),
    rcpt: view.rcpt.map(by),
    ...(data && { data: handover === undefined ? by(data) : { ...data, source: { ...(mta && { mta }), handover } } }),
  };
}

/** An application has the message when it says so: nobody comes after it. */
export function fromReceiver(response: Response): Response {
  return response.source === undefined ? { ...response, source: { handover: 'delivered' } } : response;
}
