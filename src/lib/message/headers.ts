/**
 * The header block of a message, split and unfolded and nothing more. Tolerant: any bytes give some fields, because mail that is already on
 * its way has to be described as it is. Checking is `message_validation`'s work.
 */
import { isUtf8 } from 'node:buffer';
import type { Body } from '../core/body.ts';
import { limits } from '../core/limits.ts';

export interface HeaderField {
  /** As written. */
  readonly name: string;
  /** Unfolded and trimmed, not decoded; bytes that are no UTF-8 are taken as Latin-1. */
  readonly value: string;
}

const CR = 0x0d;
const LF = 0x0a;

/**
 * The first bytes of a message up to the blank line, which is not included; at most `maxBytes`, cut after a whole line. A message without a
 * blank line is all header.
 */
export async function readHeaderBlock(body: Body, maxBytes: number = limits.messageHeaderBytes): Promise<Buffer> {
  let block = Buffer.alloc(0);
  for await (const chunk of body.chunks()) {
    // The search begins a little earlier, since the blank line may lie across two chunks.
    const from = Math.max(0, block.length - 3);
    block = Buffer.concat([block, chunk.subarray(0, maxBytes - block.length)]);
    const end = blankLine(block, from);
    if (end !== undefined) return block.subarray(0, end.at);
    if (block.length >= maxBytes) return block.subarray(0, block.lastIndexOf(LF) + 1);
  }
  return block;
}

/**
 * The fields in order, duplicates included; lines that are neither field nor continuation are left out. A lone CR ends a line, as it will
 * where the message is sent on: what hides behind it must not be read there for the first time.
 */
export function parseHeaders(block: Buffer): readonly HeaderField[] {
  const text = block.toString(isUtf8(block) ? 'utf8' : 'latin1');
  const fields: { name: string; value: string }[] = [];
  let isInField = false;
  for (const line of text.split(/\r\n?|\n/)) {
    const current = fields.at(-1);
    if (/^[ \t]/.test(line)) {
      if (isInField && current !== undefined) current.value += line;
      continue;
    }
    const match = /^([!-9;-~]+)[ \t]*:(.*)$/s.exec(line);
    isInField = match !== null;
    if (match !== null) fields.push({ name: match[1] ?? '', value: match[2] ?? '' });
  }
  return fields.map(({ name, value }) => ({ name, value: value.trim() }));
}

/** The value of the first field of that name; names have no case. */
export function headerValue(fields: readonly HeaderField[], name: string): string | undefined {
  const wanted = name.toLowerCase();
  return fields.find((field) => field.name.toLowerCase() === wanted)?.value;
}

export interface BlankLine {
  readonly at: number;
  readonly length: number;
}

/** The first blank line: where the header block ends, its last line end included, and how long the blank line itself is. */
export function blankLine(bytes: Buffer, from: number): BlankLine | undefined {
  if (bytes[0] === LF) return { at: 0, length: 1 };
  if (bytes[0] === CR && bytes[1] === LF) return { at: 0, length: 2 };
  return blankLineAfterText(bytes, from);
}

/** The same in bytes before which there are others: what they begin with is the end of a line that has something in it. */
export function blankLineAfterText(bytes: Buffer, from: number): BlankLine | undefined {
  const crlf = bytes.indexOf('\n\r\n', from, 'latin1');
  const lf = bytes.indexOf('\n\n', from, 'latin1');
  if (crlf !== -1 && (lf === -1 || crlf < lf)) return { at: crlf + 1, length: 2 };
  return lf === -1 ? undefined : { at: lf + 1, length: 1 };
}
