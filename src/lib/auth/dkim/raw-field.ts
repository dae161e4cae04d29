/**
 * Header fields as a signature sees them: their exact bytes, one character each (Latin-1), and the two ways to canonicalise them
 * (RFC 6376 §3.4.1 and §3.4.2).
 */

export type HeaderCanonicalization = 'relaxed' | 'simple';

export interface RawField {
  /** In lower case. */
  readonly name: string;
  /** Name, colon and value with its folding; without the last line end. */
  readonly raw: string;
}

/** A lone CR or LF is sent as CRLF (see `WireLines`), so what comes after it is a line of its own. */
const LINE_END = /\r\n?|\n/;
const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;

/**
 * The fields of a header block in order; lines that belong to no field are left out, as a verifier does. `hasOnlyCrlf` as in `Body`: then no other
 * line end is looked for.
 */
export function rawFields(block: Buffer, hasOnlyCrlf = false): readonly RawField[] {
  const fields: { name: string; raw: string }[] = [];
  let isInField = false;
  const text = block.toString('latin1');
  for (const line of hasOnlyCrlf ? text.split('\r\n') : text.split(LINE_END)) {
    const first = line.charCodeAt(0);
    if (first === SPACE || first === TAB) {
      const current = fields.at(-1);
      if (isInField && current !== undefined) current.raw += `\r\n${line}`;
      continue;
    }
    const length = nameLength(line);
    isInField = length > 0;
    if (isInField) fields.push({ name: line.slice(0, length).toLowerCase(), raw: line });
  }
  return fields;
}

/** Of the name with which the line begins, before which there is no space and after which there may be some before the colon; 0: it has none. */
function nameLength(line: string): number {
  let length = 0;
  while (isInName(line.charCodeAt(length))) length += 1;
  let colon = length;
  while (line.charCodeAt(colon) === SPACE || line.charCodeAt(colon) === TAB) colon += 1;
  return line.charCodeAt(colon) === COLON ? length : 0;
}

/** RFC 5322 §3.6.8: everything that can be printed, without the colon. */
function isInName(code: number): boolean {
  return code > SPACE && code < 0x7f && code !== COLON;
}

/** What canonicalisation changes in a value, but for a single space before it. */
const UNEVEN = /[\t\r]| {2}|^ | $/;

/** Without the line end; the caller joins fields with CRLF. */
export function canonicalField({ name, raw }: RawField, how: HeaderCanonicalization): string {
  if (how === 'simple') return raw;
  let start = raw.indexOf(':') + 1;
  // Not `trim`: one character is one byte here, and byte A0 is no space but the end of many a letter.
  if (raw.charCodeAt(start) === SPACE) start += 1;
  const value = raw.slice(start);
  return `${name}:${UNEVEN.test(value) ? evenSpaces(value) : value}`;
}

function evenSpaces(value: string): string {
  return value
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .replace(/^ | $/g, '');
}
