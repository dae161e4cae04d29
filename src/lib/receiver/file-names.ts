/** Names of the files of a received message. Only ids of our own making and encoded part names become part of a path. */

/** What `<id>.` is followed by in the files that are not parts. */
const RESERVED = new Set(['msg', 'msg.json', 'tx.json']);
const SUFFIX_CHARS = 180;

export const messageFile = (id: string): string => `${id}.msg`;
export const parsedFile = (id: string): string => `${id}.msg.json`;
export const envelopeFile = (id: string): string => `${id}.tx.json`;

/** `<id>.<part>`, or `undefined` when the name is too long for a file. Every character that means something to a file system is encoded. */
export function partFile(id: string, part: string): string | undefined {
  const encoded = encodeURIComponent(part.replace(/\p{Surrogate}/gu, '_')).replace(/[^\w%.-]|^\.|\.$/g, escaped);
  const isTaken = RESERVED.has(encoded.toLowerCase()) || encoded.endsWith('.part');
  // A letter is never encoded otherwise, so no other name can lead to the same file.
  const suffix = isTaken ? `${encoded.slice(0, -1)}${escaped(encoded.slice(-1))}` : encoded;
  return suffix.length <= SUFFIX_CHARS && suffix !== '' ? `${id}.${suffix}` : undefined;
}

function escaped(char: string): string {
  return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
}
