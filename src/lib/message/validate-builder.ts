/**
 * Finds the mistakes in a message-builder JSON when the transaction is created, so that they are a 4xx with a pointer and not a bounce
 * later. Headers are checked by writing them: what passes here can be built.
 */
import { limits } from '../core/limits.ts';
import { BUILDER_POINTER, type BuilderMistake, PART_LISTS } from './builder-spec.ts';
import { FieldError } from './header-field.ts';
import { renderHeader, UNIQUE_HEADERS } from './header-values.ts';
import { partHeader } from './part-header.ts';

type Report = (path: string, detail: string) => void;

/** More would only repeat one misunderstanding. */
const MISTAKES_MAX = 20;

/** All mistakes, at most twenty; an empty list means that only missing or ill-encoded parts can make it fail later. */
export function validateBuilder(ask: unknown): readonly BuilderMistake[] {
  const mistakes: BuilderMistake[] = [];
  const report: Report = (path, detail) => {
    if (mistakes.length < MISTAKES_MAX) mistakes.push({ pointer: `${BUILDER_POINTER}${path}`, detail });
  };
  if (!isObject(ask)) {
    report('', 'must be an object');
    return mistakes;
  }
  checkKeys(ask, ['headers', ...PART_LISTS], '', report);
  checkHeaders(ask.headers, report);
  const lists = PART_LISTS.map((list) => checkParts(ask[list], list, report));
  if (lists.reduce((sum, count) => sum + count, 0) > limits.messageBuilderParts) {
    report('', `more than ${limits.messageBuilderParts} parts`);
  }
  return mistakes;
}

function checkHeaders(headers: unknown, report: Report): void {
  if (headers === undefined) return;
  if (!Array.isArray(headers)) {
    report('/headers', 'must be a list of [name, value]');
    return;
  }
  if (headers.length > limits.messageBuilderHeaders) {
    report('/headers', `more than ${limits.messageBuilderHeaders} headers`);
    return;
  }
  if (JSON.stringify(headers).length > limits.messageBuilderHeaderChars) {
    report('/headers', `more than ${limits.messageBuilderHeaderChars} characters`);
    return;
  }
  const seen = new Set<string>();
  for (const [i, header] of headers.entries()) {
    const path = `/headers/${i}`;
    if (!Array.isArray(header) || header.length !== 2 || typeof header[0] !== 'string') {
      report(path, 'must be [name, value]');
      continue;
    }
    const key = header[0].toLowerCase();
    if (UNIQUE_HEADERS.has(key) && seen.has(key)) report(`${path}/0`, `a message has one ${key} header`);
    seen.add(key);
    attempt(() => renderHeader(header[0], header[1]), `${path}/1`, report);
  }
}

function checkParts(parts: unknown, list: (typeof PART_LISTS)[number], report: Report): number {
  if (parts === undefined) return 0;
  if (!Array.isArray(parts)) {
    report(`/${list}`, 'must be a list of parts');
    return 0;
  }
  for (const [i, part] of parts.slice(0, limits.messageBuilderParts).entries())
    checkPart(part, `/${list}/${i}`, report);
  return parts.length;
}

function checkPart(part: unknown, path: string, report: Report): void {
  if (!isObject(part)) {
    report(path, 'must be an object with "content_type" and "content"');
    return;
  }
  checkKeys(part, ['content_type', 'content', 'filename', 'content_id'], path, report);
  const { content_type, filename, content_id, content } = part;
  if (typeof content_type !== 'string') {
    report(`${path}/content_type`, 'must be a string like "text/plain"');
    return;
  }
  for (const key of ['filename', 'content_id'] as const) {
    if (part[key] !== undefined && typeof part[key] !== 'string') {
      report(`${path}/${key}`, 'must be a string');
      return;
    }
  }
  const ask = {
    content_type,
    ...(typeof filename === 'string' && { filename }),
    ...(typeof content_id === 'string' && { content_id }),
    disposition: 'attachment',
  } as const;
  attempt(() => partHeader(ask), path, report);
  checkContent(content, `${path}/content`, report);
}

function checkContent(content: unknown, path: string, report: Report): void {
  const wanted = 'must be one of {"inline"}, {"create_id"}, {"reuse_uri"}';
  if (!isObject(content)) {
    report(path, wanted);
    return;
  }
  const keys = ['inline', 'create_id', 'reuse_uri'];
  checkKeys(content, keys, path, report);
  const given = keys.filter((key) => content[key] !== undefined);
  if (given.length === 0) report(path, wanted);
  for (const key of given) if (typeof content[key] !== 'string') report(`${path}/${key}`, 'must be a string');
}

function checkKeys(value: Record<string, unknown>, known: readonly string[], path: string, report: Report): void {
  for (const key of Object.keys(value)) {
    if (!known.includes(key)) report(`${path}/${escapePointer(key)}`, `unknown key; known are ${known.join(', ')}`);
  }
}

function attempt(write: () => unknown, path: string, report: Report): void {
  try {
    write();
  } catch (error) {
    if (!(error instanceof FieldError)) throw error;
    report(`${path}${error.path}`, error.message);
  }
}

function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
