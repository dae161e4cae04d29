/** Makes a text that someone typed into a message: From, To, Date, Message-ID and text/plain, with header fields replaced or added as asked. */
import type { Clock, Rng } from '../../core/deps.ts';
import { exitCodes, UserError } from '../../core/errors.ts';
import { formatDate } from '../../message/date.ts';
import { mustBeHeaderText, writeField } from '../../message/header-field.ts';
import { newMessageId } from '../send/builder-file.ts';

export interface TextMessageAsk {
  readonly mailFrom: string;
  readonly rcptTo: readonly string[];
  readonly text: Buffer;
  /** `Name: value`, each. One of a name that is set anyway replaces it. */
  readonly headers: readonly string[];
}

type Field = readonly [name: string, value: string];

/** Throws `UserError` for a header that is none. */
export function textMessage(ask: TextMessageAsk, deps: { readonly clock: Clock; readonly rng: Rng }): Buffer {
  const isAscii = /^[\x00-\x7f]*$/.test(ask.text.toString('latin1'));
  const usual: Field[] = [
    ['From', ask.mailFrom === '' ? '<>' : ask.mailFrom],
    ['To', ask.rcptTo.join(', ')],
    ['Date', formatDate(deps.clock.now())],
    ['Message-ID', `<${newMessageId(ask.mailFrom, deps.rng)}>`],
    ['MIME-Version', '1.0'],
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Content-Transfer-Encoding', isAscii ? '7bit' : '8bit'],
  ];
  const given = ask.headers.map(readHeader);
  const names = new Set(given.map(([name]) => name.toLowerCase()));
  const fields = [...usual.filter(([name]) => !names.has(name.toLowerCase())), ...given];
  const header = fields.map(([name, value]) => writeField(name, value)).join('');
  const body = ask.text.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
  return Buffer.concat([Buffer.from(`${header}\r\n`), Buffer.from(endLine(body), 'latin1')]);
}

function endLine(body: string): string {
  return body === '' || body.endsWith('\r\n') ? body : `${body}\r\n`;
}

function readHeader(text: string): Field {
  const match = /^([!-9;-~]+)[ \t]*:(.*)$/s.exec(text);
  const [, name = '', value = ''] = match ?? [];
  try {
    mustBeHeaderText(value);
  } catch (error) {
    throw notHeader(text, error instanceof Error ? error.message : String(error));
  }
  if (match === null) throw notHeader(text, "expected 'Name: value'");
  return [name, value.trim()];
}

function notHeader(text: string, why: string): UserError {
  return new UserError(`not a header: ${JSON.stringify(text)}: ${why}`, exitCodes.usage);
}
