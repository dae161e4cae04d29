/** Makes a message that someone wrote or piped into one that can be sent: CRLF line ends, a date and an id. */
import type { Clock, Rng } from '../../core/deps.ts';
import { exitCodes, UserError } from '../../core/errors.ts';
import { formatDate } from '../../message/date.ts';
import { writeField } from '../../message/header-field.ts';
import { headerValue, parseHeaders } from '../../message/headers.ts';
import { newMessageId } from './builder-file.ts';
import type { Submission } from './submission.ts';

/** Throws `UserError` when there is no header, or a NUL, which no mail system carries. */
export function completeMessage(
  bytes: Buffer,
  mailFrom: string,
  deps: { readonly clock: Clock; readonly rng: Rng },
): Submission {
  if (bytes.includes(0)) throw new UserError('the message contains a NUL character', exitCodes.dataErr);
  const text = bytes.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
  const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n');
  const header = Buffer.from(end === -1 ? text : text.slice(0, end), 'latin1');
  if (!/^[!-9;-~]+[ \t]*:/.test(header.toString('latin1'))) {
    throw new UserError('the message must begin with its header, like "Subject: …"', exitCodes.dataErr);
  }
  const fields = parseHeaders(header);
  const added = [
    ...(headerValue(fields, 'date') === undefined ? [writeField('Date', formatDate(deps.clock.now()))] : []),
    ...(headerValue(fields, 'message-id') === undefined
      ? [writeField('Message-ID', `<${newMessageId(mailFrom, deps.rng)}>`)]
      : []),
  ];
  return { kind: 'message', bytes: Buffer.concat([Buffer.from(added.join('')), Buffer.from(text, 'latin1')]) };
}
