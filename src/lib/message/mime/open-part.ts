/** A part while the scanner is in it: what `MimePart` promises, still growing. */

import type { HeaderField } from '../headers.ts';
import { headerValue } from '../headers.ts';
import { isUnknownCharset } from './charset.ts';
import type { HeaderBlock } from './header-block.ts';
import { type Parameterised, parseParameterised } from './parameters.ts';
import type { HeaderCharset, MimeDefect, MimePart } from './part.ts';

/** RFC 2045 §5.1. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+$/;
/** RFC 2045 §6.4: what leaves the structure visible. An encoding nobody knows does not, but there is nothing better to do. */
const HIDING_ENCODINGS = new Set(['base64', 'quoted-printable']);
const MESSAGE_TYPES = new Set(['message/rfc822', 'message/global', 'message/news']);
const NO_PARAMS: ReadonlyMap<string, string> = new Map();

export class OpenPart implements MimePart {
  readonly depth: number;
  readonly parts: OpenPart[] = [];
  headers: readonly HeaderField[] = [];
  headerCharset: HeaderCharset = 'ascii';
  isSeparated = false;
  type: string;
  params = NO_PARAMS;
  disposition: Parameterised | undefined;
  encoding = '7bit';
  start = 0;
  end = 0;
  readonly #defects = new Set<MimeDefect>();

  /** `defaultType`: RFC 2045 §5.2, and RFC 2046 §5.1.5 inside a digest. */
  constructor(depth: number, defaultType: string) {
    this.depth = depth;
    this.type = defaultType;
  }

  get defects(): readonly MimeDefect[] {
    return [...this.#defects];
  }

  note(defect: MimeDefect): void {
    this.#defects.add(defect);
  }

  get isMultipart(): boolean {
    return this.type.startsWith('multipart/');
  }

  /** The content is a message of its own, and can be read as one. */
  get isMessage(): boolean {
    return MESSAGE_TYPES.has(this.type) && !HIDING_ENCODINGS.has(this.encoding);
  }

  /** Takes what the header says of the content, which begins at `start`. */
  describe(block: HeaderBlock, start: number): void {
    this.headers = block.fields();
    this.headerCharset = block.charset;
    for (const defect of block.defects) this.note(defect);
    this.start = start;
    this.end = start;
    this.#readType();
    const encoding = headerValue(this.headers, 'content-transfer-encoding');
    if (encoding !== undefined) this.encoding = parseParameterised(encoding).value;
    const disposition = headerValue(this.headers, 'content-disposition');
    if (disposition !== undefined) this.disposition = parseParameterised(disposition);
    if (this.disposition?.isClean === false) this.note('badContentDisposition');
    const isComposite = this.isMultipart || MESSAGE_TYPES.has(this.type);
    if (isComposite && HIDING_ENCODINGS.has(this.encoding)) this.note('encodedComposite');
    if (this.type.startsWith('text/') && isUnknownCharset(this.params.get('charset'))) this.note('unknownCharset');
  }

  #readType(): void {
    const text = headerValue(this.headers, 'content-type');
    if (text === undefined) return;
    const { value, params, isClean } = parseParameterised(text);
    if (!isClean || !MEDIA_TYPE.test(value)) this.note('badContentType');
    this.params = params;
    // RFC 2045 §5.2: what has no type that can be understood is text, whatever it would be here by default.
    this.type = MEDIA_TYPE.test(value) ? value : 'text/plain';
  }
}
