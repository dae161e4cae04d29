/** What a plugin hands to the program is looked at before it is believed: replies, paths, verdicts. Throws `TypeError` in plain words. */
import { inspect } from 'node:util';
import type { HostPort } from '../core/envelope.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';
import type { Route } from '../core/route.ts';
import type { RoutingVerdict } from '../filters/routing/policy.ts';
import type { Verdict } from '../matchers/matcher.ts';

type Fields = Readonly<Record<string, unknown>>;

/** RFC 3463 §2. */
const ENHANCED = /^[245]\.\d{1,3}\.\d{1,3}$/;

/** A copy of it, so that nobody changes it afterwards. */
export function checkedResponse(value: unknown): Response {
  const { code, enhanced, text } = fieldsOf(value, 'a reply {code, enhanced, text}');
  if (!Number.isInteger(code) || ![2, 4, 5].includes(Math.floor(Number(code) / 100))) {
    throw new TypeError(`expected a reply with a code of 2xx, 4xx or 5xx, not ${shown(code)}`);
  }
  if (typeof text !== 'string') throw new TypeError(`expected the text of a reply, not ${shown(text)}`);
  // Lines are joined by LF; a CR or NUL would travel into somebody's SMTP session.
  if (/[\r\u0000]/.test(text)) throw new TypeError('the text of a reply must not contain CR or NUL');
  if (enhanced === undefined) return { code: Number(code), text };
  if (typeof enhanced !== 'string' || !ENHANCED.test(enhanced)) {
    throw new TypeError(`expected an enhanced code such as 5.7.1, not ${shown(enhanced)}`);
  }
  return { code: Number(code), enhanced, text };
}

export function checkedMailbox(value: unknown): Mailbox {
  const { address, params } = fieldsOf(value, 'a path {address, params}');
  if (typeof address !== 'string' || /[\r\n\u0000]/.test(address)) {
    throw new TypeError(`expected an address, not ${shown(address)}`);
  }
  if (!Array.isArray(params) || !params.every(isParam)) {
    throw new TypeError(`expected a list of ESMTP parameters {keyword, value}, not ${shown(params)}`);
  }
  return value as Mailbox;
}

function isParam(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { keyword, value: text } = value as Fields;
  const isWord = (each: unknown): boolean => typeof each === 'string' && /^[^\s=\u0000-\u001f\u007f]+$/.test(each);
  return isWord(keyword) && (text === undefined || isWord(text));
}

export function checkedVerdict(value: unknown): Verdict {
  if (value === 'match' || value === 'noMatch' || value === 'unmet') return value;
  throw new TypeError(`expected 'match', 'noMatch' or 'unmet', not ${shown(value)}`);
}

export function checkedRouting(value: unknown): RoutingVerdict {
  const { kind, hosts, response } = fieldsOf(value, "a verdict {kind: 'route' | 'reject' | 'pass'}");
  switch (kind) {
    case 'pass':
      return { kind };
    case 'reject':
      return { kind, response: checkedResponse(response) };
    case 'route':
      return hosts === undefined ? { kind } : { kind, hosts: checkedHosts(hosts) };
    default:
      throw new TypeError(`expected kind 'route', 'reject' or 'pass', not ${shown(kind)}`);
  }
}

export function checkedHosts(value: unknown): readonly HostPort[] {
  if (Array.isArray(value) && value.every(isHostPort)) return value as HostPort[];
  throw new TypeError(`expected a list of {host, port}, not ${shown(value)}`);
}

function isHostPort(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { host, port } = value as Fields;
  return typeof host === 'string' && host !== '' && Number.isInteger(port) && Number(port) > 0 && Number(port) < 65_536;
}

export function checkedRoute(value: unknown): Route {
  const { endpoint, sender, tag, hosts, options } = fieldsOf(value, 'a route {endpoint, hosts, options}');
  for (const [key, text] of Object.entries({ endpoint, sender, tag })) {
    if (text !== undefined && typeof text !== 'string') {
      throw new TypeError(`expected '${key}' of a route as text, not ${shown(text)}`);
    }
  }
  checkedHosts(hosts);
  fieldsOf(options, "the 'options' of a route");
  return value as Route;
}

export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new TypeError(`expected ${what}, not ${shown(value)}`);
}

/** A value in a message: one short line. */
export function shown(value: unknown): string {
  if (value instanceof Promise) return 'a promise';
  const text = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY }).replace(/\s+/g, ' ');
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
