/**
 * Bearer tokens of the REST API (RFC 6750): a JSON file that says of each token, by the hash of it, what it is for. The tokens are random
 * (`mintSecret`), so a plain SHA-256 is as hard to turn round as the token is to guess; what is in the file lets nobody in.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { nearestName } from '../core/nearest-name.ts';
import { type WatchDeps, WatchedFile } from './watched-file.ts';

/** What a token is for. */
export interface TokenGrant {
  /** The key in the file; for logs. */
  readonly name: string;
  readonly senders: 'any' | ReadonlySet<string>;
  readonly isTrusted: boolean;
  readonly isOperator: boolean;
}

export interface TokenBook {
  /** The grant of a token, or `undefined` when it is none of the file. What it takes says nothing about the tokens there are. */
  find(token: string): TokenGrant | undefined;
  /** Of every entry of the file. */
  readonly grants: readonly TokenGrant[];
}

/** Reads the file; it is read again when it changes. Throws `UserError` that names the file and the entry at fault. */
export function openTokens(file: string, deps: WatchDeps): TokenBook {
  const watched = new WatchedFile(file, (text) => parseTokens(text, file), deps);
  return {
    find: (token) => watched.current.find(token),
    get grants() {
      return watched.current.grants;
    },
  };
}

const HASH = /^[0-9a-f]{64}$/i;
const KEYS = ['hash', 'senders', 'trusted', 'operator'];

/** Throws `UserError`; its message never quotes the text, for the text may be somebody's secret. */
export function parseTokens(text: string, file: string): TokenBook {
  const entries = Object.entries(parseObject(text, file));
  if (entries.length > limits.authTokens) throw problem(file, `more than ${limits.authTokens} tokens`);
  const book = new Map<string, { readonly hash: Buffer; readonly grant: TokenGrant }[]>();
  for (const [name, value] of entries) {
    const { hash, grant } = readEntry(name, value, file);
    const known = book.get(prefixOf(hash)) ?? [];
    if (known.some((each) => each.hash.equals(hash)))
      throw problem(file, `${JSON.stringify(name)} has the hash of another entry`);
    book.set(prefixOf(hash), [...known, { hash, grant }]);
  }
  return {
    grants: [...book.values()].flat().map(({ grant }) => grant),
    find(token) {
      const hash = createHash('sha256').update(token, 'utf8').digest();
      // Nobody can steer what the hash of a guess begins with, so looking it up by that gives nothing away; the rest is compared as a whole.
      return book.get(prefixOf(hash))?.find((each) => timingSafeEqual(each.hash, hash))?.grant;
    },
  };
}

function prefixOf(hash: Buffer): string {
  return hash.toString('hex', 0, 8);
}

function readEntry(name: string, value: unknown, file: string): { hash: Buffer; grant: TokenGrant } {
  const at = JSON.stringify(name);
  if (!isObject(value)) throw problem(file, `${at} is not an object like {"hash": "…", "senders": ["NAME"]}`);
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, KEYS);
    throw problem(
      file,
      `${at}: unknown key ${JSON.stringify(unknown)}${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    );
  }
  const { hash, senders, trusted = false, operator = false } = value;
  if (typeof hash !== 'string' || !HASH.test(hash)) {
    throw problem(file, `${at}: "hash" is not a SHA-256 in hex; koukan smtp-auth --token prints one`);
  }
  if (typeof trusted !== 'boolean') throw problem(file, `${at}: "trusted" must be true or false`);
  if (typeof operator !== 'boolean') throw problem(file, `${at}: "operator" must be true or false`);
  if (senders === undefined && !trusted && !operator) {
    throw problem(file, `${at} is for nothing: give it "senders": ["NAME", …], "trusted": true or "operator": true`);
  }
  const grant = {
    name,
    senders: sendersOf(senders, at, file, operator, trusted),
    isTrusted: trusted,
    isOperator: operator,
  };
  return { hash: Buffer.from(hash, 'hex'), grant };
}

/** A gateway or a router may speak for all senders unless the entry names some; an operator looks after everybody's mail and submits none. */
function sendersOf(
  senders: unknown,
  at: string,
  file: string,
  isOperator: boolean,
  isTrusted: boolean,
): TokenGrant['senders'] {
  if (senders === undefined) return isOperator && !isTrusted ? new Set() : 'any';
  const isList = Array.isArray(senders) && senders.every((sender) => typeof sender === 'string' && sender !== '');
  if (!isList) throw problem(file, `${at}: "senders" must be a list of names of senders`);
  if (isOperator)
    throw problem(file, `${at}: an operator looks after every sender; leave "senders" out, or "operator"`);
  return new Set(senders as readonly string[]);
}

function parseObject(text: string, file: string): Readonly<Record<string, unknown>> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw problem(file, 'not JSON');
  }
  if (isObject(json)) return json;
  throw problem(file, 'not a JSON object of tokens, like {"my-app": {"hash": "9f86d081…", "senders": ["submission"]}}');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function problem(file: string, what: string): UserError {
  return new UserError(`${file}: ${what}`, exitCodes.config);
}
