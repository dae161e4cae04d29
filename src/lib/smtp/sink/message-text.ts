/** How `koukan fake-smtpd` shows a message: for people, or as one line of JSON. */
import type { EsmtpParam, Mailbox } from '../../core/mailbox.ts';
import type { SinkMessage } from './sink.ts';

/** Of larger messages only the size is shown. */
const SHOWN_BYTES = 10_000;

/** The envelope, and each line of the message after `> `. */
export function messageText(message: SinkMessage): string {
  const { mailFrom, rcptTo, body } = message;
  const envelope = `MAIL FROM:${pathText(mailFrom)}\n${rcptTo.map((to) => `RCPT TO:${pathText(to)}\n`).join('')}`;
  if (body.length >= SHOWN_BYTES) return `${envelope}${body.length}\n`;
  const text = body.toString('utf8').replace(/\r\n$/, '');
  const lines = text === '' ? [] : text.split('\r\n').map((line) => `> ${printable(line)}\n`);
  return `${envelope}${lines.join('')}`;
}

export function messageJson(message: SinkMessage): string {
  const { mailFrom, rcptTo, body, hello, tls, bdat, connection, sequence } = message;
  return JSON.stringify({
    mail_from: mailboxJson(mailFrom),
    rcpt_to: rcptTo.map(mailboxJson),
    ehlo: hello,
    tls,
    bdat,
    connection,
    sequence,
    size: body.length,
    body: body.toString('utf8'),
  });
}

/** As on the REST wire: `{"m": address, "e": parameters}`. */
function mailboxJson({ address, params }: Mailbox): object {
  const e = params.map(({ keyword, value }) => (value === undefined ? { k: keyword } : { k: keyword, p: value }));
  return e.length === 0 ? { m: address } : { m: address, e };
}

function pathText({ address, params }: Mailbox): string {
  return printable([`<${address}>`, ...params.map(paramText)].join(' '));
}

function paramText({ keyword, value }: EsmtpParam): string {
  return value === undefined ? keyword : `${keyword}=${value}`;
}

/** What is shown may come from anybody: it must not move the cursor. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g, '?');
}
