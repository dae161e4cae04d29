/**
 * Turns the message-builder JSON of a create request into what is stored (protocol §3.1): every content becomes the name of a blob of the
 * transaction, and each blob says where its bytes come from. Doing it twice changes nothing, so stored JSON is read back the same way.
 */
import { type Body, memoryBody } from '../core/body.ts';
import { limits } from '../core/limits.ts';
import { BUILDER_POINTER, type BuilderMistake, type BuilderSpec, PART_LISTS, type PartSpec } from './builder-spec.ts';
import { validateBuilder } from './validate-builder.ts';

/** Where a part's bytes come from; the same shape as the store's blob sources. */
export type PartSource =
  | { readonly kind: 'body'; readonly body: Body }
  /** A part of an earlier transaction; whether it exists and may be used is for the caller to find out. */
  | { readonly kind: 'reuse'; readonly txId: string; readonly name: string }
  /** The client will upload it. */
  | { readonly kind: 'open' };

export interface PartBlob {
  readonly name: string;
  readonly source: PartSource;
  /** JSON pointer to the content that asked for it, for problems found later. */
  readonly pointer: string;
}

export type NormalisedBuilder =
  | { readonly ok: true; readonly spec: BuilderSpec; readonly blobs: readonly PartBlob[] }
  | { readonly ok: false; readonly mistakes: readonly BuilderMistake[] };

/** Checks the JSON, names every part and finds its source. `reuse_uri` goes before `create_id`, and that before `inline`. */
export function normaliseBuilder(ask: unknown): NormalisedBuilder {
  const found = validateBuilder(ask);
  if (found.length > 0) return { ok: false, mistakes: found };
  const checked = ask as CheckedAsk;
  const mistakes: BuilderMistake[] = [];
  const blobs: PartBlob[] = [];
  const names = new Set<string>();
  let index = 0;
  const normalise = (part: CheckedPart, pointer: string): PartSpec => {
    const blob = sourceOf(part.content, index);
    index += 1;
    const mistake = typeof blob === 'string' ? blob : nameMistake(blob.name, names);
    if (mistake !== undefined) mistakes.push({ pointer, detail: mistake });
    if (typeof blob === 'string') return { ...part, content: { create_id: '' } };
    names.add(blob.name);
    blobs.push({ ...blob, pointer });
    return { ...part, content: { create_id: blob.name } };
  };
  const [text_body, related_attachments, file_attachments] = PART_LISTS.map((list) =>
    (checked[list] ?? []).map((part, i) => normalise(part, `${BUILDER_POINTER}/${list}/${i}/content`)),
  ) as [PartSpec[], PartSpec[], PartSpec[]];
  if (mistakes.length > 0) return { ok: false, mistakes };
  return {
    ok: true,
    spec: { headers: checked.headers ?? [], text_body, related_attachments, file_attachments },
    blobs,
  };
}

interface CheckedContent {
  readonly inline?: string;
  readonly create_id?: string;
  readonly reuse_uri?: string;
}
type CheckedPart = Omit<PartSpec, 'content'> & { readonly content: CheckedContent };
type CheckedAsk = { readonly [list in (typeof PART_LISTS)[number]]?: readonly CheckedPart[] } & {
  readonly headers?: BuilderSpec['headers'];
};

/** The blob behind a content, or what is wrong with it. A name the client gave wins over the one inside the URI. */
function sourceOf(content: CheckedContent, index: number): Omit<PartBlob, 'pointer'> | string {
  if (content.reuse_uri !== undefined) {
    const reused = parsePartUri(content.reuse_uri);
    if (reused === undefined) return 'reuse_uri must be the URI of a part: …/transactions/ID/blob/NAME';
    return { name: content.create_id ?? reused.name, source: { kind: 'reuse', ...reused } };
  }
  if (content.create_id !== undefined) return { name: content.create_id, source: { kind: 'open' } };
  const body = memoryBody(Buffer.from(content.inline ?? ''));
  return { name: `inline${index}`, source: { kind: 'body', body } };
}

/** A part's name becomes a path segment of its URI and must not be taken for the message itself. */
function nameMistake(name: string, taken: ReadonlySet<string>): string | undefined {
  if (taken.has(name)) return `two parts are named "${name}"`;
  if (name === 'body' || name.startsWith('__internal')) return `the name "${name}" is reserved`;
  const isSegment = /^[^/?#%\\\x00-\x20\x7f]+$/.test(name) && !/^\.+$/.test(name);
  if (!isSegment || name.length > limits.requestNameChars) {
    return `create_id must be 1 to ${limits.requestNameChars} characters without spaces, slashes or % ? #`;
  }
  return undefined;
}

/** Takes a part's URI apart; scheme and host are of no meaning (protocol §2.3). */
export function parsePartUri(uri: string): { readonly txId: string; readonly name: string } | undefined {
  const path = uri.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/]*/i, '');
  const match = /^(?:\/[^/]+)*\/transactions\/([^/?#]+)\/blob\/([^/?#]+)$/.exec(path);
  if (match === null) return undefined;
  try {
    return { txId: decodeURIComponent(match[1] ?? ''), name: decodeURIComponent(match[2] ?? '') };
  } catch {
    // A stray % is no URI.
    return undefined;
  }
}
