/** The ARC fields of a message, one set for each hop that sealed it (RFC 8617 §4.1, §5.2 steps 1 to 3). */
import { limits } from '../../core/limits.ts';
import type { ArcSealer } from '../../core/signals/arc.ts';
import { asciiDomain } from '../../message/ascii-domain.ts';
import type { RawField } from '../dkim/raw-field.ts';
import { parseTagList, type TagList, trimSpaces, withoutSpaces } from '../dkim/tag-list.ts';

export interface Seal extends ArcSealer {
  readonly field: RawField;
  readonly keyType: 'rsa' | 'ed25519';
  readonly signature: Buffer;
}

export interface ArcSet {
  readonly results: RawField;
  readonly message: RawField;
  readonly seal: Seal;
}

/** The sets in order, or why there is no chain that could be valid. */
export type ArcSets =
  | { readonly sets: readonly ArcSet[]; readonly problem?: undefined }
  | { readonly sets?: undefined; readonly problem: string };

const KINDS = {
  'arc-authentication-results': 'results',
  'arc-message-signature': 'message',
  'arc-seal': 'seal',
} as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

export function arcSets(fields: readonly RawField[]): ArcSets {
  const byInstance = new Map<number, Partial<Record<Kind, RawField>>>();
  for (const field of fields) {
    const kind = KINDS[field.name as keyof typeof KINDS];
    if (kind === undefined) continue;
    const instance = instanceOf(field);
    if (instance === undefined) return { problem: `a field ${field.name} without instance` };
    const set = byInstance.get(instance) ?? {};
    if (set[kind] !== undefined) return { problem: `two fields ${field.name} of instance ${instance}` };
    byInstance.set(instance, { ...set, [kind]: field });
  }
  const sets: ArcSet[] = [];
  for (let instance = 1; instance <= byInstance.size; instance += 1) {
    const { results, message, seal } = byInstance.get(instance) ?? {};
    if (results === undefined || message === undefined || seal === undefined) {
      return { problem: `instance ${instance} is not complete` };
    }
    const read = sealOf(seal, instance);
    if (typeof read === 'string') return { problem: `instance ${instance}: ${read}` };
    sets.push({ results, message, seal: read });
  }
  return { sets };
}

/** `i=`, the first thing in an ARC-Authentication-Results and a tag of the others. */
function instanceOf({ name, raw }: RawField): number | undefined {
  const value = raw.slice(raw.indexOf(':') + 1);
  const written =
    name === 'arc-authentication-results'
      ? /^[ \t\r\n]*i[ \t\r\n]*=([^;]*);/.exec(value)?.[1]
      : parseTagList(value)?.get('i');
  const text = trimSpaces(written ?? '');
  const instance = /^\d{1,2}$/.test(text) ? Number(text) : 0;
  return instance >= 1 && instance <= limits.arcSets ? instance : undefined;
}

function sealOf(field: RawField, instance: number): Seal | string {
  const tags: TagList = parseTagList(field.raw.slice(field.raw.indexOf(':') + 1)) ?? new Map();
  const cv = (tags.get('cv') ?? '').toLowerCase();
  if (cv !== (instance === 1 ? 'none' : 'pass')) return cv === 'fail' ? 'was sealed as failed' : `unexpected cv=${cv}`;
  if (tags.has('h')) return 'the seal names headers';
  const algorithm = withoutSpaces(tags.get('a') ?? '').toLowerCase();
  const domain = asciiDomain(tags.get('d') ?? '');
  const selector = asciiDomain(tags.get('s') ?? '');
  const signature = withoutSpaces(tags.get('b') ?? '');
  if (algorithm !== 'rsa-sha256' && algorithm !== 'ed25519-sha256') return 'the seal has an unknown algorithm';
  if (domain === undefined || selector === undefined) return 'the seal names no key';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(signature)) return 'the seal is malformed';
  const keyType = algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519';
  return { field, instance, domain, selector, keyType, signature: Buffer.from(signature, 'base64') };
}
