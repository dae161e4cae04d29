/** Which header fields a signature covers, and which of them it covers once more than they occur, so that nobody can add another. */
import type { RawField } from '../dkim/raw-field.ts';

export interface HeaderChoice {
  /** Names in lower case, in the order of `h=`; those that a message lacks are left out unless over-signed. */
  readonly headers: readonly string[];
  /** Names in lower case: an absent field is signed as absent, a present one also as having no second. */
  readonly oversign: readonly string[];
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
  const names: string[] = [];
  const covered: RawField[] = [];
  for (const name of new Set([...choice.headers, ...choice.oversign])) {
    const all = fields.filter((field) => field.name === name).reverse();
    const instances = all.slice(0, INSTANCES_MAX);
    covered.push(...instances);
    names.push(...instances.map(() => name));
    // One name more would make a verifier look for one that is there, and not covered.
    if (choice.oversign.includes(name) && instances.length === all.length) names.push(name);
  }
  return { names, fields: covered };
}
