/** A small, strict MIME reader written from the RFCs for the tests, so that the builder is not judged by its own code. */

export interface MimeNode {
  readonly headers: readonly (readonly [string, string])[];
  /** Lower-case, without parameters; `text/plain` when there is none. */
  readonly type: string;
  readonly params: Readonly<Record<string, string>>;
  readonly children: readonly MimeNode[];
  /** Decoded; empty for multiparts. */
  readonly content: Buffer;
}

export function readMime(bytes: Buffer): MimeNode {
  const text = bytes.toString('latin1');
  const split = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2;
  if (split === 1) throw new Error('no blank line');
  const headers = readHeaders(text.slice(0, split));
  const body = text.slice(split + 2);
  const { value: type, params } = readParams(header({ headers }, 'content-type') ?? 'text/plain');
  const node = { headers, type: type.toLowerCase(), params };
  if (!node.type.startsWith('multipart/')) {
    return { ...node, children: [], content: decode(body, header({ headers }, 'content-transfer-encoding')) };
  }
  const boundary = params.boundary;
  if (boundary === undefined) throw new Error('multipart without boundary');
  const pieces = `\r\n${body}`.split(`\r\n--${boundary}`);
  if (!pieces.at(-1)?.startsWith('--\r\n')) throw new Error('multipart is not closed');
  const children = pieces.slice(1, -1).map((piece) => {
    if (!piece.startsWith('\r\n')) throw new Error('text after a boundary');
    return readMime(Buffer.from(piece.slice(2), 'latin1'));
  });
  return { ...node, children, content: Buffer.alloc(0) };
}

/** `mixed(alternative(text/plain,text/html),image/png)` */
export function shape(node: MimeNode): string {
  if (node.children.length === 0) return node.type;
  return `${node.type.replace('multipart/', '')}(${node.children.map(shape).join(',')})`;
}

export function header(node: Pick<MimeNode, 'headers'>, name: string): string | undefined {
  return node.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

export function readHeaders(block: string): [string, string][] {
  const fields = block.replace(/\r\n(?=[ \t])/g, '').split('\r\n');
  return fields.slice(0, -1).map((field) => {
    const colon = field.indexOf(':');
    if (colon < 1 || /\s/.test(field.slice(0, colon))) throw new Error(`not a header: ${field}`);
    return [field.slice(0, colon), Buffer.from(field.slice(colon + 1).trim(), 'latin1').toString()];
  });
}

/** RFC 2047 §6.2: white space between adjacent encoded words is not part of the text. */
export function decodeWords(text: string): string {
  const joined = text.replace(/(=\?[^?]+\?[QB]\?[^?]*\?=)\s+(?==\?)/gi, '$1');
  return joined.replace(/=\?utf-8\?([QB])\?([^?\s]*)\?=/gi, (word, encoding: string, payload: string) => {
    if (word.length > 75) throw new Error('an encoded word is longer than 75 characters');
    if (encoding.toUpperCase() === 'B') return strictUtf8(Buffer.from(payload, 'base64'));
    const bytes = payload.replace(/_/g, ' ').replace(/=([0-9A-F]{2})/gi, (_, hex: string) => byte(hex));
    return strictUtf8(Buffer.from(bytes, 'latin1'));
  });
}

/** A value with parameters, RFC 2231 continuations and charsets resolved. */
export function readParams(value: string): { value: string; params: Record<string, string> } {
  const [first = '', ...rest] = value.match(/(?:"(?:\\.|[^"\\])*"|[^;"])+/g) ?? [];
  const pieces = new Map<string, { isEncoded: boolean; text: string }[]>();
  for (const param of rest) {
    const match = /^\s*([^=*]+)(?:\*(\d+))?(\*)?=(.*)$/s.exec(param.trim());
    if (match === null) throw new Error(`not a parameter: ${param}`);
    const [, name = '', , star, raw = ''] = match;
    const text = raw.startsWith('"') ? raw.slice(1, -1).replace(/\\(.)/g, '$1') : raw;
    pieces.set(name, [...(pieces.get(name) ?? []), { isEncoded: star === '*', text }]);
  }
  const params: Record<string, string> = {};
  for (const [name, list] of pieces) {
    const text = list.map((piece) => piece.text).join('');
    params[name] = list.some((piece) => piece.isEncoded) ? decodeURIComponent(text.replace(/^utf-8''/i, '')) : text;
  }
  return { value: first.trim(), params };
}

function decode(body: string, encoding: string | undefined): Buffer {
  if (encoding === 'base64') {
    const lines = body.split('\r\n');
    if (lines.some((line) => line.length > 76 || !/^[A-Za-z0-9+/]*={0,2}$/.test(line))) throw new Error('bad base64');
    return Buffer.from(lines.join(''), 'base64');
  }
  if (encoding === 'quoted-printable') {
    if (body.split('\r\n').some((line) => line.length > 76)) throw new Error('a quoted-printable line is too long');
    const text = body.replace(/=\r\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex: string) => byte(hex));
    return Buffer.from(text, 'latin1');
  }
  return Buffer.from(body, 'latin1');
}

function byte(hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}

function strictUtf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}
