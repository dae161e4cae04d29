/**
 * Sorts the parts of a message into what applications want to see first: its texts, what belongs to them, and the files (protocol §3.4).
 *
 *   mixed( alternative( text, related( html, images… ) ), files… )      however these are nested
 */
import { headerValue } from '../headers.ts';
import type { MimePart } from '../mime/part.ts';

export interface FlatParts {
  /** The alternatives in the order of the message, which is from plain to rich. */
  readonly text: readonly MimePart[];
  readonly related: readonly MimePart[];
  readonly files: readonly MimePart[];
}

export function flatten(message: MimePart): FlatParts {
  const text: MimePart[] = [];
  const related: MimePart[] = [];
  const files: MimePart[] = [];
  /** The part a reader is shown, or a part of it. */
  const show = (part: MimePart, isAlternative: boolean): void => {
    const [first, ...others] = part.parts;
    if (first === undefined || part.type.startsWith('message/')) {
      (isShown(part, isAlternative) ? text : files).push(part);
    } else if (part.type === 'multipart/alternative') {
      for (const child of part.parts) show(child, true);
    } else if (part.type === 'multipart/signed') {
      // RFC 1847 §2.1: what is signed, and the signature.
      show(first, isAlternative);
    } else if (part.type === 'multipart/related') {
      const root = rootOf(part) ?? first;
      show(root, isAlternative);
      related.push(...part.parts.filter((child) => child !== root).flatMap(filesIn));
    } else {
      show(first, isAlternative);
      files.push(...others.flatMap(filesIn));
    }
  };
  show(message, false);
  return { text, related, files };
}

/** Text is shown as it is; other kinds of text are only when somebody offers them as an alternative to it. */
function isShown({ type, parts }: MimePart, isAlternative: boolean): boolean {
  if (parts.length > 0) return false;
  return type === 'text/plain' || type === 'text/html' || (isAlternative && type.startsWith('text/'));
}

/** RFC 2387 §3.2: the part that `start` names. */
function rootOf(related: MimePart): MimePart | undefined {
  const start = related.params.get('start');
  if (start === undefined) return undefined;
  return related.parts.find((child) => headerValue(child.headers, 'content-id') === start);
}

/** A multipart among the files is no file, its parts are; a message is one. */
function filesIn(part: MimePart): readonly MimePart[] {
  const isMultipart = part.parts.length > 0 && part.type.startsWith('multipart/');
  return isMultipart ? part.parts.flatMap(filesIn) : [part];
}
