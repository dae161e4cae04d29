/**
 * Takes away from a header block what others say in our name: every Authentication-Results field with our authserv-id (RFC 8601 §5). All other
 * bytes stay as they are.
 */
import { isUtf8 } from 'node:buffer';
import { domainToASCII, domainToUnicode } from 'node:url';

/** The block without those fields; the very same when there is none. */
export function withoutClaims(block: Buffer, authservId: string): Buffer {
  const kept: Buffer[] = [];
  let hasClaims = false;
  for (const field of fieldExtents(block)) {
    if (isClaim(field, authservId)) hasClaims = true;
    else kept.push(field);
  }
  return hasClaims ? Buffer.concat(kept) : block;
}

/** The block cut before every line that is no continuation; together the pieces are the block. A lone CR, sent on, is a line end too. */
function fieldExtents(block: Buffer): readonly Buffer[] {
  const pieces: Buffer[] = [];
  let start = 0;
  for (const { index, 0: end } of block.toString('latin1').matchAll(/\r\n?|\n/g)) {
    const next = block[index + end.length];
    if (next === 0x20 || next === 0x09) continue;
    pieces.push(block.subarray(start, index + end.length));
    start = index + end.length;
  }
  return start < block.length ? [...pieces, block.subarray(start)] : pieces;
}

/** Names have no case, and some readers allow white space before the colon. */
const NAME = /^authentication-results[ \t\r\n]*:/i;

function isClaim(field: Buffer, authservId: string): boolean {
  if (!/^authentication-results/i.test(field.toString('latin1', 0, 22))) return false;
  const name = NAME.exec(field.toString('latin1'))?.[0];
  if (name === undefined) return false;
  const bytes = field.subarray(name.length);
  const value = bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1');
  const claimed = claimedId(value);
  // What cannot be read may still be read by somebody: it goes when our name is in it.
  if (claimed === undefined) return spellings(authservId).some((id) => value.toLowerCase().includes(id));
  return spellings(claimed).some((id) => spellings(authservId).includes(id));
}

/** Lower case, as A-labels and as U-labels, without the dot of the root. */
function spellings(id: string): readonly string[] {
  const bare = id.toLowerCase().normalize('NFC').replace(/\.$/, '');
  const others = [domainToASCII(bare), domainToUnicode(bare)].filter((text) => text !== '');
  return [...new Set([bare, ...others])];
}

/** The authserv-id: the first token or quoted string after comments and white space; `undefined` when there is none. */
function claimedId(value: string): string | undefined {
  const at = afterComments(value);
  if (at === undefined) return undefined;
  const rest = value.slice(at);
  const quoted = /^"((?:[^"\\]|\\.)*)"/s.exec(rest)?.[1];
  if (quoted !== undefined)
    return quoted
      .replace(/\\(.)/gs, '$1')
      .replace(/[\r\n]/g, '')
      .trim();
  return /^[^\s"(),/:;<=>?@[\\\]\u0000-\u001f\u007f]+/.exec(rest)?.[0];
}

/** Where the first thing after white space and comments stands, nested ones and quoted pairs included (RFC 5322 §3.2.2). */
function afterComments(value: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < value.length; at += 1) {
    const char = value.charAt(at);
    if (char === '(') depth += 1;
    else if (depth === 0) {
      if (!/\s/.test(char)) return at;
    } else if (char === '\\') at += 1;
    else if (char === ')') depth -= 1;
  }
  return undefined;
}
