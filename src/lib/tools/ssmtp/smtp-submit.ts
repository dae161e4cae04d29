/** Sends one message on an open SMTP or LMTP connection, and says what the server said to each part of it. */
import { isAscii } from 'node:buffer';
import { memoryBody } from '../../core/body.ts';
import { exitCodes } from '../../core/errors.ts';
import { type EsmtpParam, mailbox } from '../../core/mailbox.ts';
import { mailFailed } from '../../core/precondition.ts';
import { isOk, isPermanent, type Response } from '../../core/response.ts';
import type { SmtpConnection } from '../../smtp/client/connection.ts';

export interface SmtpMessage {
  readonly mailFrom: string;
  readonly rcptTo: readonly string[];
  readonly bytes: Buffer;
}

export interface RcptResult {
  readonly address: string;
  readonly rcpt: Response;
  /** The answer to the message; in SMTP the same one for all. Absent when it was not sent to this recipient. */
  readonly data?: Response;
}

export interface SmtpResult {
  /** Why there is no session. */
  readonly connect?: Response;
  readonly mail?: Response;
  readonly rcpts: readonly RcptResult[];
}

export async function submit(connection: SmtpConnection, message: SmtpMessage): Promise<SmtpResult> {
  const asks = [
    connection.mail(mailbox(message.mailFrom, mailParams(connection, message))),
    ...message.rcptTo.map((to) => connection.rcpt(mailbox(to))),
  ];
  const [mail, ...answers] = (await Promise.all(asks)) as [Response, ...Response[]];
  const rcpts = answers.map((rcpt, i) => ({ address: message.rcptTo[i] as string, rcpt }));
  if (!isOk(mail)) return { mail, rcpts: rcpts.map((result) => ({ ...result, rcpt: mailFailed(mail) })) };
  const acceptedRcpts = answers.filter(isOk).length;
  if (acceptedRcpts === 0) return { mail, rcpts };
  const data = await connection.message({ body: memoryBody(message.bytes), acceptedRcpts });
  let next = 0;
  const withData = rcpts.map((result): RcptResult => {
    if (!isOk(result.rcpt)) return result;
    const answer = data[next] ?? data[0];
    next += 1;
    return answer === undefined ? result : { ...result, data: answer };
  });
  return { mail, rcpts: withData };
}

function mailParams({ capabilities }: SmtpConnection, { mailFrom, rcptTo, bytes }: SmtpMessage): EsmtpParam[] {
  const params: EsmtpParam[] = [];
  if (capabilities.has('SIZE')) params.push({ keyword: 'SIZE', value: String(bytes.length) });
  if (capabilities.has('8BITMIME') && !isAscii(bytes)) params.push({ keyword: 'BODY', value: '8BITMIME' });
  const isUtf8 = [mailFrom, ...rcptTo].some((address) => !isAscii(Buffer.from(address)));
  if (isUtf8 && capabilities.has('SMTPUTF8')) params.push({ keyword: 'SMTPUTF8' });
  return params;
}

/** The replies that decided, one for each recipient, or one when it did not come to recipients. */
export function verdicts({ connect, mail, rcpts }: SmtpResult): Response[] {
  if (connect !== undefined) return [connect];
  if (mail !== undefined && !isOk(mail)) return [mail];
  return rcpts.map(({ rcpt, data }) => data ?? rcpt);
}

/** sysexits: 0 taken; 67 no such user; 77 not allowed; 75 for now; 69 refused for another reason. */
export function exitCodeOf(response: Response): number {
  if (isOk(response)) return exitCodes.ok;
  if (!isPermanent(response)) return exitCodes.tempFail;
  if (response.enhanced === '5.1.1') return exitCodes.noUser;
  const isNotAllowed = response.enhanced?.startsWith('5.7.') || response.code === 530 || response.code === 535;
  return isNotAllowed ? exitCodes.noPerm : exitCodes.unavailable;
}
