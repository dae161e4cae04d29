/**
 * What two Koukans tell each other about RFC 3461 beside the JSON, whose keys the Python original holds to be complete: a header of answers says
 * that its sender takes the parameters over, and of a reply who gave it and who reports a success.
 *
 *   koukan-dsn: yes; handover=relayed; mta=mx.example.com
 *
 * `in-doubt=yes`: the answer to the message is the peer's own word, because the far end gave none after the final dot.
 */
import type { Handover, ReplySource, Response } from '../core/response.ts';
import type { TxState } from '../core/transaction.ts';
import { inDoubt } from '../core/uncertainty.ts';
import type { PeerView } from './peer-view.ts';

export const DSN_HEADER = 'koukan-dsn';

/** What a header may say of a server's name. */
const MTA = /^[\w.:[\]-]{1,255}$/;
const HANDOVERS: ReadonlySet<string> = new Set<Handover>(['passed', 'relayed', 'delivered', 'reported']);

export function dsnHeader({ replies }: TxState): string {
  const source = replies.data?.source ?? replies.rcpt.find((reply) => reply?.source)?.source ?? replies.mail?.source;
  const { handover, mta = '' } = source ?? {};
  const doubt = replies.data?.inDoubt === true ? '; in-doubt=yes' : '';
  return `yes${doubt}${handover === undefined ? '' : `; handover=${handover}`}${MTA.test(mta) ? `; mta=${mta}` : ''}`;
}

/** What the header says of the replies beside it. */
export interface PeerSource extends ReplySource {
  readonly inDoubt?: boolean;
}

const NO_SOURCE: PeerSource = {};
const MTA_PARAM = /; *mta=([^; ]+)/;
const HANDOVER_PARAM = /; *handover=([^; ]+)/;
const IN_DOUBT_PARAM = /; *in-doubt=([^; ]+)/;

/** What was said last and what it means: message after message, a destination says the same. */
let heard: { readonly value: string; readonly source: PeerSource | undefined } = { value: '', source: undefined };

/** `undefined` from a peer that does not know of it. */
export function readDsnHeader(value: string | undefined): PeerSource | undefined {
  if (value === undefined) return undefined;
  if (value === 'yes') return NO_SOURCE;
  if (value !== heard.value) heard = { value, source: parseDsnHeader(value) };
  return heard.source;
}

function parseDsnHeader(value: string): PeerSource | undefined {
  if (!/^yes *(;|$)/.test(value)) return undefined;
  if (!value.includes(';')) return NO_SOURCE;
  const [mta, handover] = [paramOf(value, MTA_PARAM), paramOf(value, HANDOVER_PARAM)];
  return {
    ...(MTA.test(mta) && { mta }),
    ...(isHandover(handover) && { handover }),
    ...(paramOf(value, IN_DOUBT_PARAM) === 'yes' && { inDoubt: true }),
  };
}

function paramOf(header: string, pattern: RegExp): string {
  return pattern.exec(header)?.[1] ?? '';
}

function isHandover(word: string): word is Handover {
  return HANDOVERS.has(word);
}

/** The replies of a view with who gave them; only the answer to the message hands anything over. */
export function withSource(view: PeerView, source: PeerSource): PeerView {
  if (source === NO_SOURCE) return view;
  const { mta, handover, inDoubt: isInDoubt = false } = source;
  const by = (response: Response): Response => (mta === undefined ? response : { ...response, source: { mta } });
  const handedOver = (data: Response): Response =>
    handover === undefined ? by(data) : { ...data, source: { ...(mta && { mta }), handover } };
  const { mail, data } = view;
  return {
    ...view,
    mail: mail && by(mail),
    rcpt: view.rcpt.map(by),
    data: data && (isInDoubt ? inDoubt(by(data)) : handedOver(data)),
  };
}

/** An application has the message when it says so: nobody comes after it. */
export function fromReceiver(response: Response): Response {
  return response.source === undefined ? { ...response, source: { handover: 'delivered' } } : response;
}
