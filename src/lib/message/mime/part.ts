/** The structure of a message as the scanner finds it: a tree of parts, where each lies in the bytes, and what is wrong with it. */
import type { HeaderField } from '../headers.ts';
import type { Parameterised } from './parameters.ts';

/** What can be wrong with a part. Nothing of it stops the scanner; what follows from it is for others to judge. */
export type MimeDefect =
  /** A line of the header is neither field nor continuation; it was left out. */
  | 'lineWithoutColon'
  /** The header is not followed by a blank line. */
  | 'missingSeparator'
  /** The first line of the header continues nothing. */
  | 'strayContinuation'
  /** An mbox `From ` line among the fields. */
  | 'envelopeLine'
  /** White space between the name of a field and its colon (RFC 5322 §4.5). */
  | 'spaceBeforeColon'
  /** A control character in the header, a bare CR among them. */
  | 'controlCharacter'
  /** A line of the header ends without CR. */
  | 'bareLf'
  /** The header, or all headers together, are too long: the rest counts as content, or is left out. */
  | 'headerTooLong'
  | 'tooManyHeaders'
  | 'badContentType'
  | 'badContentDisposition'
  | 'unknownCharset'
  /** A multipart without a usable `boundary`: taken as one part. */
  | 'boundaryMissing'
  /** A multipart in which its boundary does not occur: taken as one part. */
  | 'boundaryNotFound'
  | 'unterminatedMultipart'
  /** A multipart or message with an encoding that would hide its structure (RFC 2045 §6.4). */
  | 'encodedComposite'
  | 'badBase64'
  /** Nested deeper than was asked for: taken as one part. */
  | 'tooDeep'
  /** More parts than are followed: the rest of this multipart was left out. */
  | 'tooManyParts';

/** Of the bytes of a header block. */
export type HeaderCharset = 'ascii' | 'utf8' | 'other';

export interface MimePart {
  /** In order, duplicates included. */
  readonly headers: readonly HeaderField[];
  readonly headerCharset: HeaderCharset;
  /** The blank line after the header and the line before it end with CRLF. */
  readonly isSeparated: boolean;
  /** `type/subtype` in lower case; what it defaults to when the header says nothing that can be understood. */
  readonly type: string;
  readonly params: ReadonlyMap<string, string>;
  readonly disposition: Parameterised | undefined;
  /** Content-Transfer-Encoding in lower case, `7bit` by default. */
  readonly encoding: string;
  /** 0 for the message. */
  readonly depth: number;
  /** The content in the bytes of the message, as it was sent, from `start` up to but not including `end`. */
  readonly start: number;
  readonly end: number;
  /** Of a multipart or an enclosed message that was looked into. */
  readonly parts: readonly MimePart[];
  readonly defects: readonly MimeDefect[];
}

/** The part, and everything inside it. */
export function* walkParts(part: MimePart): Generator<MimePart> {
  yield part;
  for (const child of part.parts) yield* walkParts(child);
}
