/** `tag=value; tag=value`: the form of DKIM and ARC fields and of the DNS records for DKIM and DMARC (RFC 6376 §3.2). */

export type TagList = ReadonlyMap<string, string>;

/** Tags with their values, outer white space taken away; `undefined` when it is no such list, or names a tag twice. */
export function parseTagList(text: string): TagList | undefined {
  const tags = new Map<string, string>();
  for (const spec of text.split(';')) {
    const bare = trimSpaces(spec);
    if (bare === '') continue;
    const [, name = '', rest = ''] = /^([A-Za-z][A-Za-z0-9_]*)(.*)$/s.exec(bare) ?? [];
    const assigned = trimSpaces(rest);
    if (name === '' || !assigned.startsWith('=') || tags.has(name)) return undefined;
    tags.set(name, trimSpaces(assigned.slice(1)));
  }
  return tags;
}

/** Without any white space: for values that may be folded anywhere, such as base64. */
export function withoutSpaces(value: string): string {
  return value.replace(/[ \t\r\n]+/g, '');
}

/** Only the four characters of folding white space: in Latin-1 text `trim` would take away half a UTF-8 letter. */
export function trimSpaces(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0d || code === 0x0a;
}

/** A field with the value of its `b=` tag taken away, white space around it included: what a signature signs of itself (RFC 6376 §3.7). */
export function withoutSignature(raw: string): string {
  const colon = raw.indexOf(':') + 1;
  const specs = raw.slice(colon).split(';');
  const emptied = specs.map((spec) => /^[ \t\r\n]*b[ \t\r\n]*=/.exec(spec)?.[0] ?? spec);
  return raw.slice(0, colon) + emptied.join(';');
}
