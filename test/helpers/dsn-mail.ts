/** Mail whose sender asks to be told what becomes of it (RFC 3461), and the notifications that tell him, read back. */
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { type EsmtpParam, type Mailbox, mailbox } from '../../src/lib/core/mailbox.ts';
import { isOk, type Response, reply } from '../../src/lib/core/response.ts';
import {
  type DeliveryStatus,
  type RecipientStatus,
  readDeliveryStatus,
} from '../../src/lib/message/read-delivery-status.ts';
import { type MimeNode, readMime, shape } from '../message/mime-reader.ts';
import { DEFAULT_CHAINS, type Harness, openExchange } from './router-harness.ts';

/** `alice@a.test RET=FULL ENVID=7` as an envelope has it. */
export function boxOf(text: string): Mailbox {
  const [address = '', ...words] = text.split(' ');
  const params = words.map((word): EsmtpParam => {
    const [keyword = '', ...value] = word.split('=');
    return value.length === 0 ? { keyword } : { keyword, value: value.join('=') };
  });
  return mailbox(address === '<>' ? '' : address, params);
}

export interface DsnMail {
  readonly from?: string;
  readonly rcpts: readonly string[];
  readonly body?: Body;
}

export const BODY = 'Message-ID: <one@a.test>\r\nSubject: hi\r\n\r\nhello\r\n';

/** Sends one message as the SMTP gateway in the same process does; answers the reply to DATA. */
export async function sendDsnMail(harness: Harness, sender: string, mail: DsnMail): Promise<Response | undefined> {
  const exchange = openExchange(harness, sender);
  await exchange.mail(boxOf(mail.from ?? 'alice@a.test'));
  const replies: Response[] = [];
  for (const rcpt of mail.rcpts) replies.push(await exchange.rcpt(boxOf(rcpt)));
  const data = replies.some(isOk) ? await exchange.data(mail.body ?? memoryBody(Buffer.from(BODY))) : undefined;
  await exchange.close();
  return data;
}

/** A notification as its reader sees it. */
export interface ReadDsn {
  readonly shape: string;
  readonly node: MimeNode;
  readonly text: string;
  readonly status: DeliveryStatus;
  readonly recipient: RecipientStatus;
  /** The message it is about, or its header. */
  readonly quoted: string;
}

export function readDsn(message: string | Buffer): ReadDsn {
  const node = readMime(typeof message === 'string' ? Buffer.from(message, 'latin1') : message);
  const [text, part, quoted] = node.children;
  const status = readDeliveryStatus(part?.content ?? Buffer.alloc(0));
  const recipient = status?.recipients[0];
  if (status === undefined || recipient === undefined) throw new Error('not a delivery status notification');
  return {
    shape: shape(node),
    node,
    text: text?.content.toString() ?? '',
    status,
    recipient,
    quoted: quoted?.content.toString('latin1') ?? '',
  };
}

/** The notifications the far end of a harness got so far. */
export function dsnsAt({ far }: Harness): readonly ReadDsn[] {
  return far.deliveries.filter(({ mailFrom }) => mailFrom === '').map(({ body }) => readDsn(body));
}

export const temporary = reply(450, '4.2.0', 'try later');

/** Tries every minute, for as long as it is told, and tells of a delay after two. */
export const patient = (notification: string, deadline = 900): string =>
  DEFAULT_CHAINS.replace(
    'max_attempts: 3, min_attempt_time: 60, max_attempt_time: 600, deadline: 86400',
    `max_attempts: null, min_attempt_time: 60, max_attempt_time: 60, deadline: ${deadline}`,
  ).replace('{sender: bounces}', `{sender: bounces, ${notification}}`);

/** A far end that has no time for some. */
export const isLate = (stage: string, rcpt: string): Response | undefined =>
  stage === 'rcpt' && rcpt.startsWith('late') ? temporary : undefined;
