/** Reads the argument of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3): a path, kept as it was written, and parameters. */
import { limits } from '../../core/limits.ts';
import { type EsmtpParam, isPathTooLong, type Mailbox, mailbox, parseAddress } from '../../core/mailbox.ts';
import { type Response, reply } from '../../core/response.ts';

export type PathCommand =
  | { readonly mailbox: Mailbox; readonly refusal?: undefined }
  | { readonly refusal: Response; readonly mailbox?: undefined };

const PARAM = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=\s\u0000-\u001f\u007f]+))?$/u;

const mailSyntax = reply(501, '5.5.2', 'syntax: MAIL FROM:<address> [parameters]');
const rcptSyntax = reply(501, '5.5.2', 'syntax: RCPT TO:<address> [parameters]');
const badSender = reply(501, '5.1.7', 'bad sender address syntax');
const badRecipient = reply(501, '5.1.3', 'bad recipient address syntax');

const isForwardPath = (path: string): boolean => parseAddress(path) !== undefined;
const isReversePath = (path: string): boolean => path === '' || (path.includes('@') && isForwardPath(path));

/** `MAIL FROM:<path> params`; the null path is `''`. */
export function parseMailFrom(line: string): PathCommand {
  const match = /^MAIL +FROM *: */i.exec(line);
  if (match === null) return { refusal: mailSyntax };
  return parsePath(line.slice(match[0].length), isReversePath, badSender);
}

/** `RCPT TO:<path> params`; a path without a domain is only `postmaster` (RFC 5321 §4.1.1.3). */
export function parseRcptTo(line: string): PathCommand {
  const match = /^RCPT +TO *: */i.exec(line);
  if (match === null) return { refusal: rcptSyntax };
  return parsePath(line.slice(match[0].length), isForwardPath, badRecipient);
}

function parsePath(text: string, isAcceptable: (path: string) => boolean, badAddress: Response): PathCommand {
  const cut = cutPath(text);
  if (cut === undefined || isPathTooLong(cut.path) || !isAcceptable(cut.path)) return { refusal: badAddress };
  const rest = cut.rest.trim();
  if (rest === '') return { mailbox: mailbox(cut.path) };
  const words = rest.split(/ +/);
  if (words.length > limits.rcptParamsPerCommand) return { refusal: reply(501, '5.5.4', 'too many parameters') };
  const params: EsmtpParam[] = [];
  const seen = new Set<string>();
  for (const word of words) {
    const match = PARAM.exec(word);
    if (match === null) return { refusal: reply(501, '5.5.4', 'bad parameter syntax') };
    const [, keyword = '', value] = match;
    if (seen.has(keyword.toUpperCase())) return { refusal: reply(501, '5.5.4', `duplicate parameter ${keyword}`) };
    seen.add(keyword.toUpperCase());
    params.push(value === undefined ? { keyword } : { keyword, value });
  }
  return { mailbox: mailbox(cut.path, params) };
}

/** The path without its brackets and its source route, and what follows. Brackets may be missing, as some devices do. */
function cutPath(text: string): { path: string; rest: string } | undefined {
  const end = text.startsWith('<') ? closingBracket(text) : endOfWord(text);
  if (end === undefined) return undefined;
  const isBracketed = text.startsWith('<');
  const path = isBracketed ? text.slice(1, end) : text.slice(0, end);
  const rest = text.slice(isBracketed ? end + 1 : end);
  if (rest !== '' && !rest.startsWith(' ')) return undefined;
  if (!isBracketed && path === '') return undefined;
  return { path: withoutRoute(path), rest };
}

/** Index of the `>` that is not inside a quoted local part. */
function closingBracket(text: string): number | undefined {
  const end = text.indexOf('>');
  const quote = text.indexOf('"');
  // Nearly all addresses have none.
  if (quote === -1 || quote > end) return end === -1 ? undefined : end;
  let isQuoted = false;
  for (let i = 1; i < text.length; i += 1) {
    const char = text[i];
    if (char === '\\' && isQuoted) i += 1;
    else if (char === '"') isQuoted = !isQuoted;
    else if (char === '>' && !isQuoted) return i;
  }
  return undefined;
}

function endOfWord(text: string): number {
  const space = text.indexOf(' ');
  return space === -1 ? text.length : space;
}

/** RFC 5321 §4.1.1.3 and appendix C: `@one,@two:user@three` is taken as `user@three`. */
function withoutRoute(path: string): string {
  return path.startsWith('@') ? path.slice(path.indexOf(':') + 1) : path;
}
