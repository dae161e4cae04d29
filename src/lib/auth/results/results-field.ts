/** Writes an Authentication-Results field (RFC 8601 §2.2) from what the filters found. Nothing that a peer said can end a value or a line. */

/** One method: `spf=pass (why) smtp.mailfrom=a@b`. */
export interface MethodResult {
  readonly method: string;
  readonly result: string;
  readonly comment?: string | undefined;
  /** `smtp.mailfrom` → value, in order; empty values are left out. */
  readonly properties: Readonly<Record<string, string | undefined>>;
}

const LINE_WANTED = 78;
const VALUE_CHARS_MAX = 300;
const COMMENT_CHARS_MAX = 120;

/** The whole field with its CRLF, folded. `utf8`: the message may hold UTF-8 in its header (RFC 6532); else such values are left out. */
export function resultsField(authservId: string, results: readonly MethodResult[], utf8: boolean): string {
  const clauses = results.map((each) => words(each, utf8));
  const lines = [`Authentication-Results: ${token(authservId)};`];
  for (const [i, clause] of (clauses.length === 0 ? [['none']] : clauses).entries()) {
    const isLast = i >= clauses.length - 1;
    lines.push(...folded(isLast ? clause : [...clause.slice(0, -1), `${clause.at(-1)};`]));
  }
  return `${lines.join('\r\n\t')}\r\n`;
}

function words({ method, result, comment, properties }: MethodResult, utf8: boolean): readonly string[] {
  const said = commentText(comment ?? '', utf8);
  const written = Object.entries(properties).flatMap(([name, value]) => {
    const text = clean(value ?? '', VALUE_CHARS_MAX);
    return text === '' || (!utf8 && !isAscii(text)) ? [] : [`${name}=${mailboxOrToken(text)}`];
  });
  return [`${method}=${result}`, ...(said === '' ? [] : [`(${said})`]), ...written];
}

function folded(clause: readonly string[]): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of clause) {
    if (line === '') line = word;
    else if (line.length + word.length + 9 > LINE_WANTED) {
      lines.push(line);
      line = ` ${word}`;
    } else line += ` ${word}`;
  }
  return [...lines, line];
}

/** `value` of RFC 8601 §2.2: a token, an address or its domain alone as they are, anything else in quotes. */
function mailboxOrToken(text: string): string {
  const at = text.lastIndexOf('@');
  const isMailbox =
    at !== -1 && /^[\w.!#$%&'*+\-^`{|}~]*$/.test(text.slice(0, at)) && /^[\w.-]+$/.test(text.slice(at + 1));
  return isMailbox ? text : token(text);
}

/** RFC 2045 §5.1. */
function token(text: string): string {
  return /^[^\s"(),/:;<=>?@[\\\]\u0000-\u001f\u007f-\uffff]+$/.test(text)
    ? text
    : `"${text.replace(/["\\]/g, '\\$&')}"`;
}

function commentText(text: string, utf8: boolean): string {
  // Neither ends the comment nor misleads those who split at every semicolon and quote.
  const safe = clean(text, COMMENT_CHARS_MAX)
    .replace(/[()\\"]/g, '')
    .replaceAll(';', ',')
    .trim();
  return utf8 ? safe : safe.replace(/[^\x20-\x7e]/g, '?');
}

/** One line without control characters. */
function clean(text: string, charsMax: number): string {
  return text
    .slice(0, charsMax)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\p{Cs}]+/gu, ' ')
    .trim();
}

function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}
