/** Which header fields a signature covers, and which of them it covers once more than they occur, so that nobody can add another. */
import { canonicalField, type HeaderCanonicalization, type RawField } from '../dkim/raw-field.ts';
import { FOLD, type FoldedText, foldedText } from './folded-text.ts';

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

/** Most instances of one name that are covered: more of them is an attack on the verifier. */
const INSTANCES_MAX = 20;

/** What the signatures of one message cover of its header. */
export interface CoveredHeaders {
  /** `h=`: the names, one for each instance. */
  readonly names: FoldedText;
  /** The instances as they are hashed, each with its line end: the last of a name first (RFC 6376 §5.4.2). */
  readonly canonical: string;
}

/** Finds in message after message what is covered. Made once for a configuration. */
export class HeaderCoverage {
  readonly #choice: HeaderChoice;
  readonly #how: HeaderCanonicalization;
  /** How often each name is there, in the places of the names; used again for each message. */
  readonly #counts: Uint8Array;
  /** The names of the message before, as a rule those of this one, too: most of a sender's messages are of one make. */
  #last: { readonly counts: Uint8Array; readonly names: FoldedText } | undefined;

  constructor(choice: HeaderChoice, how: HeaderCanonicalization) {
    this.#choice = choice;
    this.#how = how;
    this.#counts = new Uint8Array(choice.names.length);
  }

  of(fields: readonly RawField[]): CoveredHeaders {
    const { names, places } = this.#choice;
    const counts = this.#counts.fill(0);
    const byPlace = new Array<string>(names.length).fill('');
    for (let i = fields.length - 1; i >= 0; i -= 1) {
      const field = fields[i] as RawField;
      const place = places.get(field.name);
      if (place === undefined || (counts[place] as number) > INSTANCES_MAX) continue;
      counts[place] = (counts[place] as number) + 1;
      if ((counts[place] as number) <= INSTANCES_MAX) byPlace[place] += `${canonicalField(field, this.#how)}\r\n`;
    }
    return { names: this.#namesOf(counts), canonical: byPlace.join('') };
  }

  #namesOf(counts: Uint8Array): FoldedText {
    if (this.#last === undefined || !isSame(this.#last.counts, counts)) {
      this.#last = { counts: counts.slice(), names: foldedNames(this.#listOf(counts), this.#how) };
    }
    return this.#last.names;
  }

  #listOf(counts: Uint8Array): readonly string[] {
    const { names, oversigned } = this.#choice;
    return names.flatMap((name, place) => {
      const count = counts[place] as number;
      // One name more than there are says that there is no other; it would make a verifier look for one that is there, and not covered.
      const more = count <= INSTANCES_MAX && oversigned.has(name) ? 1 : 0;
      return new Array<string>(Math.min(count, INSTANCES_MAX) + more).fill(name);
    });
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

const NAMES_LINE_MAX = 70;

/** RFC 6376 §3.5 allows folding around the colons of `h=`. */
function foldedNames(names: readonly string[], how: HeaderCanonicalization): FoldedText {
  let text = 'h=';
  let lineLength = text.length;
  for (const [i, name] of names.entries()) {
    const length = name.length + 1;
    if (lineLength + length > NAMES_LINE_MAX) {
      text += FOLD;
      lineLength = 0;
    }
    text += name;
    text += i === names.length - 1 ? ';' : ':';
    lineLength += length;
  }
  return foldedText(text, how);
}
