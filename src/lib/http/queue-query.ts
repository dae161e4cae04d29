/** The query of a list, and the cursor in it: from text to what the service is asked, or a 400 that names the parameter. */

import { limits } from '../core/limits.ts';
import { LISTED_STATES, type ListedState } from '../core/listed-state.ts';
import { isDomain, parseAddress } from '../core/mailbox.ts';
import { nearestName } from '../core/nearest-name.ts';
import type { ListCursor, ListQuery } from './queue-service.ts';
import { RequestProblem } from './service.ts';

const DEFAULT_LIMIT = 50;

const READERS = {
  sender: (text: string) => ({ sender: name('sender', text) }),
  state: (text: string) => ({ state: readState(text) }),
  to: (text: string) => ({ to: readRecipient(text) }),
  from: (text: string) => ({ from: readReversePath(text) }),
  parent: (text: string) => ({ parent: name('parent', text) }),
  after: (text: string) => ({ after: readCursor(text) }),
  limit: (text: string) => ({ limit: readLimit(text) }),
} as const;

/** Throws `RequestProblem` 400 with the parameter as its pointer. */
export function readListQuery(query: Readonly<Record<string, unknown>>): ListQuery {
  const read: Partial<ListQuery>[] = Object.entries(query).map(([parameter, value]) => {
    if (!(parameter in READERS)) throw wrong(parameter, unknownParameter(parameter));
    if (typeof value !== 'string') throw wrong(parameter, `${parameter} is given more than once`);
    return READERS[parameter as keyof typeof READERS](value);
  });
  return Object.assign({ limit: DEFAULT_LIMIT }, ...read) as ListQuery;
}

/** Opaque to clients, so that the order of the list may change. */
export function formatCursor({ createdAt, id }: ListCursor): string {
  return Buffer.from(JSON.stringify([createdAt, id])).toString('base64url');
}

function readCursor(text: string): ListCursor {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    if (Array.isArray(value) && Number.isSafeInteger(value[0]) && typeof value[1] === 'string' && value.length === 2) {
      return { createdAt: value[0] as number, id: value[1] };
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw wrong('after', 'after is not a cursor: use the next link of a page');
}

function readState(text: string): ListedState {
  const known = LISTED_STATES.find((state) => state === text);
  if (known !== undefined) return known;
  const nearest = nearestName(text, LISTED_STATES);
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
  throw wrong('state', `unknown state; one of ${LISTED_STATES.join(', ')}${hint}`);
}

/** `bob@example.com`, or the domain: `example.com`, `@example.com`. */
function readRecipient(text: string): { readonly address: string } | { readonly domain: string } {
  const asked = text.toLowerCase();
  if (parseAddress(asked) !== undefined) return { address: asked };
  const domain = asked.replace(/^@/, '');
  if (isDomain(domain)) return { domain };
  throw wrong('to', 'to must be an address, or a domain');
}

/** `<>` or nothing is the null reverse-path. */
function readReversePath(text: string): string {
  const asked = text.toLowerCase().replace(/^<(.*)>$/, '$1');
  if (asked === '' || parseAddress(asked) !== undefined) return asked;
  throw wrong('from', 'from must be an address, or <> for the null reverse-path');
}

function readLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (limit < 1 || limit > limits.listPageRows) {
    throw wrong('limit', `limit must be a number from 1 to ${limits.listPageRows}`);
  }
  return limit;
}

function name(parameter: string, text: string): string {
  if (text.length >= 1 && text.length <= limits.requestNameChars) return text;
  throw wrong(parameter, `${parameter} must have 1 to ${limits.requestNameChars} characters`);
}

function unknownParameter(parameter: string): string {
  const known = Object.keys(READERS);
  const nearest = nearestName(parameter, known);
  const hint = nearest === undefined ? `one of ${known.join(', ')}` : `did you mean ${nearest}?`;
  return `unknown query parameter; ${hint}`;
}

function wrong(parameter: string, detail: string): RequestProblem {
  return new RequestProblem(400, detail, { pointer: `/${parameter.replaceAll('~', '~0').replaceAll('/', '~1')}` });
}
