/**
 * Decodes text of any charset to Unicode, as it streams by. What is not labelled, or labelled with a name nobody knows, is UTF-8 if it can
 * be and Latin-1 otherwise: nothing is ever refused, and no byte disappears.
 */
import { isUtf8 } from 'node:buffer';

/** How the bytes of a text are to be read: a name `TextDecoder` knows, or the bytes themselves must say. */
export type Charset = { readonly kind: 'known'; readonly name: string } | { readonly kind: 'guess' };

const GUESS: Charset = { kind: 'guess' };

/** US-ASCII says that there are no other bytes; when there are, the label is no help. */
const NO_HELP = new Set('us-ascii ascii ansi_x3.4-1968 7bit 8bit unknown unknown-8bit x-unknown default'.split(' '));
/** Names that mailers use for charsets `TextDecoder` knows by another. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'utf-8-strict': 'utf-8',
  cp932: 'shift_jis',
  cp936: 'gbk',
  cp949: 'euc-kr',
  cp950: 'big5',
  'cp-850': 'ibm850',
  'ansi-1252': 'windows-1252',
  'iso-8859-8-i': 'iso-8859-8-i',
};

/** An absent, meaningless or unknown label is `guess`. */
export function charsetOf(label: string | undefined): Charset {
  const name = plainName(label);
  if (name === '' || NO_HELP.has(name)) return GUESS;
  return isKnown(name) ? { kind: 'known', name } : GUESS;
}

/** Somebody named a charset, and it cannot be decoded. */
export function isUnknownCharset(label: string | undefined): boolean {
  const name = plainName(label);
  return name !== '' && !NO_HELP.has(name) && !isKnown(name);
}

/** Decodes a whole text at once. */
export function decodeBytes(bytes: Buffer, label: string | undefined): string {
  const charset = charsetOf(label);
  if (charset.kind === 'known') return new TextDecoder(charset.name).decode(bytes);
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}

function plainName(label: string | undefined): string {
  const name = (label ?? '').trim().toLowerCase();
  const known = name.replace(/^(?:cs|x-)?(?:win|windows)[-_]?(125\d)$/, 'windows-$1');
  return OTHER_NAMES[known] ?? known;
}

function isKnown(name: string): boolean {
  if (name.length > 40) return false;
  try {
    new TextDecoder(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
