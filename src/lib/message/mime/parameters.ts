/** Reads the values of Content-Type and Content-Disposition: a word and its parameters (RFC 2045 §5.1), with what RFC 2231 added to them. */
import { decodeBytes } from './charset.ts';

export interface Parameterised {
  /** The word before the first semicolon, in lower case, comments removed. */
  readonly value: string;
  /** By lower-case name; continuations are joined and charsets decoded. */
  readonly params: ReadonlyMap<string, string>;
  /** Nothing had to be guessed. */
  readonly isClean: boolean;
}

const TOKEN = /^[^\s()<>@,;:\\"/[\]?=\u0000-\u001f\u007f]+$/;

/** Understands whatever it can; the first of two parameters of one name counts. */
export function parseParameterised(text: string): Parameterised {
  const { pieces, isClosed } = splitAtSemicolons(text);
  const [first = '', ...rest] = pieces;
  const given = new Map<string, string>();
  let isClean = isClosed;
  for (const [i, piece] of rest.entries()) {
    const param = readParameter(piece);
    // A semicolon at the end announces nothing, and does no harm.
    if (param === undefined) isClean &&= i === rest.length - 1 && piece.trim() === '';
    else if (given.has(param.name)) isClean = false;
    else given.set(param.name, param.value);
    isClean &&= param?.isClean !== false;
  }
  return { value: first.trim().toLowerCase(), params: joinContinuations(given), isClean };
}

/** The text between semicolons that are not quoted; comments become a space. */
function splitAtSemicolons(text: string): { pieces: readonly string[]; isClosed: boolean } {
  const pieces: string[] = [];
  let piece = '';
  let isQuoted = false;
  let comments = 0;
  for (const [token] of text.matchAll(/\\[\s\S]|["();]|[^\\"();]+|\\$/g)) {
    if (comments > 0) {
      if (token === '(') comments += 1;
      else if (token === ')') comments -= 1;
    } else if (isQuoted || token === '"') {
      if (token === '"') isQuoted = !isQuoted;
      piece += token;
    } else if (token === '(') {
      comments = 1;
      piece += ' ';
    } else if (token === ';') {
      pieces.push(piece);
      piece = '';
    } else {
      piece += token;
    }
  }
  return { pieces: [...pieces, piece], isClosed: !isQuoted && comments === 0 };
}

function readParameter(piece: string): { name: string; value: string; isClean: boolean } | undefined {
  const at = piece.indexOf('=');
  const name = piece.slice(0, at).trim().toLowerCase();
  if (at === -1 || name === '') return undefined;
  const raw = piece.slice(at + 1).trim();
  if (!raw.startsWith('"')) return { name, value: raw, isClean: TOKEN.test(raw) };
  const end = closingQuote(raw);
  const value = raw.slice(1, end).replace(/\\([\s\S])/g, '$1');
  return { name, value, isClean: end === raw.length - 1 && end > 0 };
}

/** The length when the quote is never closed. */
function closingQuote(raw: string): number {
  for (let i = 1; i < raw.length; i += 1) {
    if (raw[i] === '\\') i += 1;
    else if (raw[i] === '"') return i;
  }
  return raw.length;
}

interface Section {
  readonly index: number;
  readonly text: string;
  readonly isEncoded: boolean;
}

/** RFC 2231 §3 and §4: `name*0*=utf-8''…; name*1=…` is one parameter, and stands before a plain one for readers that know no better. */
function joinContinuations(given: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const params = new Map<string, string>();
  const sections = new Map<string, Section[]>();
  for (const [key, text] of given) {
    const match = /^([^*]+)(?:\*(\d{1,4}))?(\*)?$/.exec(key);
    const [, name, index, star] = match ?? [];
    if (name === undefined || (index === undefined && star === undefined)) {
      params.set(key, text);
      continue;
    }
    const section = { index: Number(index ?? 0), text, isEncoded: star !== undefined };
    const others = sections.get(name);
    if (others === undefined) sections.set(name, [section]);
    else others.push(section);
  }
  for (const [name, list] of sections) params.set(name, joined(list));
  return params;
}

function joined(sections: readonly Section[]): string {
  const ordered = sections.toSorted((a, b) => a.index - b.index);
  const prefix = ordered[0]?.isEncoded === true ? /^([^']*)'[^']*'/.exec(ordered[0].text) : null;
  const pieces = ordered.map(({ text, isEncoded }, i) => {
    const own = i === 0 && prefix !== null ? text.slice(prefix[0].length) : text;
    return isEncoded ? percentBytes(own) : Buffer.from(own);
  });
  return decodeBytes(Buffer.concat(pieces), prefix?.[1] ?? '');
}

function percentBytes(text: string): Buffer {
  const pieces = text.split(/(%[0-9a-f]{2})/i);
  return Buffer.concat(
    pieces.map((piece, i) => (i % 2 === 1 ? Buffer.from(piece.slice(1), 'hex') : Buffer.from(piece))),
  );
}
