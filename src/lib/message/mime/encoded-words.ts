/**
 * Decodes the encoded words of RFC 2047 in header text. The library brings tables for the charsets of half the world, so it is loaded with
 * the first encoded word, and not before.
 */
import { createRequire } from 'node:module';
import { limits } from '../../core/limits.ts';

/** What we use of the library, which comes without types. */
interface LibMime {
  decodeWords(text: string): string;
}

let library: LibMime | undefined;

/** Never throws: what cannot be decoded stays as it was sent. */
export function decodeWords(text: string): string {
  if (!text.includes('=?') || text.length > limits.encodedWordsChars) return text;
  library ??= createRequire(import.meta.url)('libmime') as LibMime;
  try {
    // Through UTF-8, because half of a surrogate pair has no place in JSON.
    return Buffer.from(library.decodeWords(text)).toString();
  } catch {
    // Whatever the library cannot read is text that somebody sent, not a fault of ours.
    return text;
  }
}
