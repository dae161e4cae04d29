/**
 * The requests that gateways and routers make of each other, and applications of routers, for each message alike, known at a glance: whoever says yes here has nothing more to
 * check. The schemas in `wire-schema` say what is allowed; a no only means that they are asked, and they find the words for what is wrong.
 */
import { limits } from '../core/limits.ts';
import type { CreateJson, UpdateJson } from './wire-schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** Whether it is a create that `createSchema` takes as it is; no larger than it, and without what is seldom there. */
export function isUsualCreate(json: unknown): json is CreateJson {
  if (!isObject(json)) return false;
  for (const key in json) {
    if (!isUsualCreateField(key, json[key])) return false;
  }
  return true;
}

/** The same of a PATCH, with `updateSchema`. */
export function isUsualUpdate(json: unknown): json is UpdateJson {
  if (!isObject(json)) return false;
  for (const key in json) {
    const value = json[key];
    if (key === 'rcpt_to' ? !isRcpts(value) : key !== 'rcpt_to_list_offset' || !isCount(value)) return false;
  }
  return true;
}

function isUsualCreateField(key: string, value: unknown): boolean {
  switch (key) {
    case 'sender':
      return isSender(value);
    case 'remote_host':
    case 'local_host':
      return isHostPort(value);
    case 'mail_from':
      return isMailbox(value);
    case 'rcpt_to':
      return isRcpts(value);
    case 'smtp_meta':
      return isSmtpMeta(value);
    case 'body':
      return isInlineBody(value);
    default:
      return false;
  }
}

const PRINTABLE = /^[\x20-\x7e]*$/;
const KEYWORD = /^[A-Za-z0-9][A-Za-z0-9-]*$/;
const VALUE = /^[\x21-\x3c\x3e-\x7e]+$/;
const HOST_CHARS = 255;
const PORT_MAX = 65_535;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isText(value: unknown, charsMin: number, charsMax: number): boolean {
  return typeof value === 'string' && value.length >= charsMin && value.length <= charsMax && PRINTABLE.test(value);
}

function isSender(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key in value) {
    if ((key !== 'name' && key !== 'tag') || !isText(value[key], 1, limits.requestNameChars)) return false;
  }
  return true;
}

function isHostPort(value: unknown): boolean {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const port: unknown = value[1];
  return isText(value[0], 1, HOST_CHARS) && isCount(port) && port <= PORT_MAX;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isRcpts(value: unknown): boolean {
  if (!Array.isArray(value) || value.length === 0 || value.length > limits.rcptsPerTransaction) return false;
  return value.every(isMailbox);
}

function isMailbox(value: unknown): boolean {
  if (!isObject(value) || !isText(value.m, 0, limits.smtpPathBytes)) return false;
  for (const key in value) {
    if (key !== 'm' && (key !== 'e' || !areParams(value.e))) return false;
  }
  return true;
}

function areParams(value: unknown): boolean {
  return Array.isArray(value) && value.length <= limits.rcptParamsPerCommand && value.every(isParam);
}

function isParam(value: unknown): boolean {
  if (!isObject(value) || !matches(value.k, KEYWORD)) return false;
  for (const key in value) {
    if (key !== 'k' && (key !== 'p' || !matches(value.p, VALUE))) return false;
  }
  return true;
}

function matches(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && value.length <= limits.requestMailboxChars && pattern.test(value);
}

/** The whole message as text, and nothing else. */
function isInlineBody(value: unknown): boolean {
  if (!isObject(value) || typeof value.inline !== 'string') return false;
  for (const key in value) if (key !== 'inline') return false;
  return true;
}

function isSmtpMeta(value: unknown): boolean {
  if (!isObject(value)) return false;
  for (const key in value) {
    const fact = value[key];
    if (key === 'ehlo_host') {
      if (fact !== null && !isText(fact, 0, limits.requestMailboxChars)) return false;
    } else if ((key !== 'esmtp' && key !== 'tls' && key !== 'auth') || (fact !== null && typeof fact !== 'boolean')) {
      return false;
    }
  }
  return true;
}
