/** The MIME header of one part of a built message. Every part is base64, so any content passes any hop unchanged. */
import { FieldError, mustBeHeaderText, writeField, writeParam } from './header-field.ts';

export interface PartHeaderAsk {
  readonly content_type: string;
  readonly filename?: string;
  readonly content_id?: string;
  /** `inline` for related parts, `attachment` for files that have a name, none for text. */
  readonly disposition?: 'inline' | 'attachment';
}

/** RFC 2045 §5.1 tokens; text may say again that it is UTF-8. */
const CONTENT_TYPE = /^([\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+)(\s*;\s*charset\s*=\s*"?utf-?8"?\s*)?$/i;

export function isText(contentType: string): boolean {
  return /^text\//i.test(contentType);
}

/** The header fields of a part, each with its CRLF, without the blank line. Throws `FieldError` with the key at fault as its path. */
export function partHeader(ask: PartHeaderAsk): string {
  const type = CONTENT_TYPE.exec(ask.content_type);
  if (type?.[1] === undefined) throw new FieldError('must be type/subtype without parameters', '/content_type');
  if (/^multipart\//i.test(type[1])) throw new FieldError('cannot be multipart: give the parts', '/content_type');
  const fields = [
    writeField('Content-Type', `${type[1]}${isText(type[1]) ? '; charset="utf-8"' : ''}`),
    writeField('Content-Transfer-Encoding', 'base64'),
  ];
  if (ask.disposition !== undefined) fields.push(writeField('Content-Disposition', disposition(ask)));
  if (ask.content_id !== undefined) fields.push(writeField('Content-ID', contentId(ask.content_id)));
  return fields.join('');
}

function disposition({ disposition: kind, filename }: PartHeaderAsk): string {
  if (filename === undefined) return `${kind}`;
  mustBeHeaderText(filename, '/filename');
  if (filename.length > 1000) throw new FieldError('is longer than 1000 characters', '/filename');
  return `${kind}${writeParam('filename', filename)}`;
}

/** RFC 2392: the brackets are part of the header, not of the id; clients write either. */
function contentId(id: string): string {
  const bare = id.replace(/^<(.*)>$/s, '$1');
  if (!/^[\x21-\x3b\x3d\x3f-\x7e]{1,500}$/.test(bare)) throw new FieldError('is not a content id', '/content_id');
  return `<${bare}>`;
}
