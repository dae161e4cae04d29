/**
 * Reads a message-builder JSON file for `koukan send`. Beyond what the REST protocol knows, a content may name a local file:
 * `{"file": "report.pdf"}`, or `{"filename": "report.pdf"}` as upstream's sender has it. Such a part is uploaded.
 */
import { access } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import type { Clock, Rng } from '../../core/deps.ts';
import { exitCodes, UserError } from '../../core/errors.ts';
import { domainOf } from '../../core/mailbox.ts';
import { isJsonObject } from '../../http/request.ts';
import { BUILDER_POINTER, PART_LISTS } from '../../message/builder-spec.ts';
import { validateBuilder } from '../../message/validate-builder.ts';
import { readInput, regularFileSize } from '../input-file.ts';
import type { Json, LocalFile, Submission } from './submission.ts';

export interface BuilderFileDeps {
  readonly clock: Clock;
  readonly rng: Rng;
}

/** Reads and checks the file, and adds `date` and `message-id` when they are missing. Throws `UserError` for every mistake. */
export async function readBuilderFile(path: string, mailFrom: string, deps: BuilderFileDeps): Promise<Submission> {
  const json = parse(path, (await readInput(path)).toString('utf8'));
  const files = new Map<string, LocalFile>();
  const lists: Record<string, unknown> = {};
  for (const list of PART_LISTS) {
    const parts = json[list];
    if (!Array.isArray(parts)) continue;
    const resolved: unknown[] = [];
    for (const part of parts) resolved.push(await resolvePart(part, list, path, files));
    lists[list] = resolved;
  }
  const complete = { ...json, ...lists, headers: withDefaults(json.headers, mailFrom, deps) };
  const mistakes = validateBuilder(complete).map(({ pointer, detail }) => {
    return `${path}: ${pointer.slice(BUILDER_POINTER.length) || '/'}: ${detail}`;
  });
  if (mistakes.length > 0) throw new UserError(mistakes.join('\n'), exitCodes.dataErr);
  return { kind: 'builder', json: complete, files };
}

function parse(path: string, text: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path}: invalid JSON: ${(error as Error).message}`, exitCodes.dataErr);
  }
  if (!isJsonObject(json)) throw new UserError(`${path}: must be a JSON object`, exitCodes.dataErr);
  return json;
}

/** A part whose content names a local file becomes one to be uploaded; all others stay as they are. */
async function resolvePart(
  part: unknown,
  list: (typeof PART_LISTS)[number],
  builderPath: string,
  files: Map<string, LocalFile>,
): Promise<unknown> {
  if (!isJsonObject(part) || !isJsonObject(part.content)) return part;
  const { file, filename, ...content } = part.content;
  const name = file ?? filename;
  if (name === undefined) return part;
  if (typeof name !== 'string') {
    throw new UserError(`${builderPath}: the file of a part must be a string`, exitCodes.dataErr);
  }
  const path = await findBeside(name, builderPath);
  const id = typeof content.create_id === 'string' ? content.create_id : `file${files.size}`;
  files.set(id, { path, sizeBytes: await regularFileSize(path) });
  const shown = list === 'file_attachments' && part.filename === undefined ? { filename: basename(name) } : {};
  return { ...part, ...shown, content: { ...content, create_id: id } };
}

/** Relative names are relative to the JSON file; failing that, as upstream has it, to where we are. */
async function findBeside(name: string, builderPath: string): Promise<string> {
  const beside = builderPath === '-' ? resolve(name) : resolve(dirname(builderPath), name);
  const isThere = await access(beside).then(
    () => true,
    () => false,
  );
  return isThere ? beside : resolve(name);
}

function withDefaults(headers: unknown, mailFrom: string, { clock, rng }: BuilderFileDeps): unknown {
  if (headers !== undefined && !Array.isArray(headers)) return headers;
  const given: readonly unknown[] = headers ?? [];
  const has = (name: string): boolean =>
    given.some((header) => Array.isArray(header) && String(header[0]).toLowerCase() === name);
  return [
    ...given,
    ...(has('date') ? [] : [['date', { unix_secs: Math.floor(clock.now() / 1000) }]]),
    ...(has('message-id') ? [] : [['message-id', [newMessageId(mailFrom, rng)]]]),
  ];
}

/** A message id under the sender's domain, without angle brackets. */
export function newMessageId(mailFrom: string, rng: Rng): string {
  return `${rng.bytes(16).toString('hex')}@${domainOf(mailFrom) ?? 'localhost'}`;
}
