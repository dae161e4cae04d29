/**
 * The Content-Range header (RFC 9110 §14.4) as uploads use it: a request says where its bytes go, an answer says which prefix is stored.
 * Only byte ranges exist here, and `end` is exclusive in the program though the header counts the last byte.
 */

export interface ContentRange {
  /** Offset of the first byte. */
  readonly start: number;
  /** Offset after the last byte; a range is never empty. */
  readonly end: number;
  /** Length of the whole; absent (`*` in the header) while it is not known. */
  readonly total?: number;
}

/** At most 15 digits, so that every number is exact. */
const RANGE = /^bytes[ \t]+(\d{1,15})-(\d{1,15})\/(\d{1,15}|\*)$/i;
const UNSATISFIED = /^bytes[ \t]+\*\/(\d{1,15})$/i;

/** Reads `bytes 0-99/200`, or the same with an open total; `undefined` for anything else and for a range that contradicts itself. */
export function parseContentRange(header: string): ContentRange | undefined {
  const match = RANGE.exec(header.trim());
  if (match === null) return undefined;
  const start = Number(match[1]);
  const end = Number(match[2]) + 1;
  if (end <= start) return undefined;
  if (match[3] === '*') return { start, end };
  const total = Number(match[3]);
  return total < end ? undefined : { start, end, total };
}

/** Writes the header for a range. */
export function formatContentRange({ start, end, total }: ContentRange): string {
  return `bytes ${start}-${end - 1}/${total ?? '*'}`;
}

/** Reads the length of an unsatisfied range (`*` in place of the range): what a 416 says when it has none to name (RFC 9110 §15.5.17). */
export function parseUnsatisfiedRange(header: string): number | undefined {
  const match = UNSATISFIED.exec(header.trim());
  return match === null ? undefined : Number(match[1]);
}
