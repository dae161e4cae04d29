/** Which header fields a signature covers, and which of them it covers once more than they occur, so that nobody can add another. */
import type { RawField } from '../dkim/raw-field.ts';

/** Names in lower case. Made once for a configuration, with `headerChoice`. */
export interface HeaderChoice {
  /** All of them, in the order of `h=`; those that a message lacks are left out unless over-signed. */
  readonly names: readonly string[];
  /** Where a name is in `names`. */
  readonly places: ReadonlyMap<string, number>;
  /** An absent field is signed as absent, a present one also as having no second. */
  readonly oversigned: ReadonlySet<string>;
}

/** What is only over-signed comes last. */
export function headerChoice(headers: readonly string[], oversign: readonly string[]): HeaderChoice {
  const names = [...new Set([...headers, ...oversign])];
  return { names, places: new Map(names.map((name, i) => [name, i])), oversigned: new Set(oversign) };
}

/** RFC 6376 §5.4.1, RFC 8058 §4 and the fields that say what the content is. Trace fields and Bcc are not signed. */
export const DEFAULT_HEADERS: readonly string[] = [
  'from',
  'sender',
  'reply-to',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'in-reply-to',
  'references',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'content-id',
  'content-description',
  'resent-date',
  'resent-from',
  'resent-sender',
  'resent-to',
  'resent-cc',
  'resent-message-id',
  'list-id',
  'list-help',
  'list-unsubscribe',
  'list-unsubscribe-post',
  'list-subscribe',
  'list-post',
  'list-owner',
  'list-archive',
  'feedback-id',
  'auto-submitted',
];

/** What a message has once and what readers show or act on. */
export const DEFAULT_OVERSIGNED: readonly string[] = [
  'from',
  'reply-to',
  'to',
  'cc',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'content-type',
];

export interface CoveredHeaders {
  /** The names for `h=`, one for each instance. */
  readonly names: readonly string[];
  /** The instances in the order they are hashed: the last of a name first (RFC 6376 §5.4.2). */
  readonly fields: readonly RawField[];
}

/** Most instances of one name that are covered: more of them is an attack on the verifier. */
const INSTANCES_MAX = 20;

export function coveredHeaders(fields: readonly RawField[], choice: HeaderChoice): CoveredHeaders {
  const found = lastFirst(fields, choice);
  const names: string[] = [];
  const covered: RawField[] = [];
  for (const [i, name] of choice.names.entries()) {
    const all = found[i];
    const count = Math.min(all?.length ?? 0, INSTANCES_MAX);
    for (let k = 0; k < count; k += 1) {
      names.push(name);
      covered.push(all?.[k] as RawField);
    }
    // One name more would make a verifier look for one that is there, and not covered.
    if (count === (all?.length ?? 0) && choice.oversigned.has(name)) names.push(name);
  }
  return { names, fields: covered };
}

/** The instances of each name, in the places of the names. */
function lastFirst(fields: readonly RawField[], { names, places }: HeaderChoice): readonly (RawField[] | undefined)[] {
  const found = new Array<RawField[] | undefined>(names.length);
  for (let i = fields.length - 1; i >= 0; i -= 1) {
    const field = fields[i] as RawField;
    const place = places.get(field.name);
    if (place === undefined) continue;
    const instances = found[place];
    if (instances === undefined) found[place] = [field];
    else instances.push(field);
  }
  return found;
}
