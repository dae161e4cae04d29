/**
 * Builds the lines that carry someone else's data into a session. This is the only place that does, so it is the place that makes sure that
 * no CR, LF or NUL can get into a command. What is merely odd is left for the server to judge: its answer is the real one.
 */
import { limits } from '../../core/limits.ts';
import { type EsmtpParam, type Mailbox, parseAddress } from '../../core/mailbox.ts';
import { type Response, reply } from '../../core/response.ts';

/** A line without its CRLF, or the refusal when the data cannot be put into one. */
export type CommandLine = { readonly line: string } | { readonly refusal: Response };

const CONTROL = /[\u0000-\u001f\u007f]/;
/** Outside quotes, white space and angle brackets would change where the path ends. */
const UNQUOTED_SAFE = /^[^\s<>"\\]+$/u;
const KEYWORD = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const VALUE = /^[^\s\u0000-\u001f\u007f]+$/u;
const HOST_NAME = /^[^\s\u0000-\u001f\u007f]+$/u;

/** RFC 5321 §4.1.1.2. */
export function mailLine(from: Mailbox): CommandLine {
  if (from.address !== '' && !isSafeAddress(from.address))
    return { refusal: reply(553, '5.1.7', 'the reverse-path is not a valid address') };
  return withParams(`MAIL FROM:<${from.address}>`, from.params);
}

/** RFC 5321 §4.1.1.3. */
export function rcptLine(to: Mailbox): CommandLine {
  if (!isSafeAddress(to.address)) return { refusal: reply(553, '5.1.3', 'the forward-path is not a valid address') };
  return withParams(`RCPT TO:<${to.address}>`, to.params);
}

/** EHLO, HELO or LHLO with our name. */
export function helloLine(verb: 'EHLO' | 'HELO' | 'LHLO', name: string): CommandLine {
  if (!HOST_NAME.test(name)) return { refusal: reply(450, '4.3.5', 'the configured EHLO name is not a host name') };
  return bounded(`${verb} ${name}`);
}

function isSafeAddress(address: string): boolean {
  if (CONTROL.test(address)) return false;
  return UNQUOTED_SAFE.test(address) || parseAddress(address) !== undefined;
}

function withParams(command: string, params: readonly EsmtpParam[]): CommandLine {
  let line = command;
  for (const { keyword, value } of params) {
    if (!KEYWORD.test(keyword) || (value !== undefined && !VALUE.test(value)))
      return { refusal: reply(501, '5.5.4', 'an ESMTP parameter cannot be sent as it is written') };
    line += value === undefined ? ` ${keyword}` : ` ${keyword}=${value}`;
  }
  return bounded(line);
}

function bounded(line: string): CommandLine {
  // CRLF counts (RFC 5321 §4.5.3.1.4).
  if (Buffer.byteLength(line) + 2 > limits.smtpCommandLineBytes)
    return { refusal: reply(501, '5.5.4', 'the command line would be too long') };
  return { line };
}
