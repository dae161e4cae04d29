/**
 * Takes a message apart for a receiving application: its structure as JSON (protocol §3.4), short texts inside it, everything else as
 * decoded blobs. Whatever is wrong with a message, the application gets it: what does not have the form it should have stays text or bytes.
 */
import { type Body, memoryBody } from '../../core/body.ts';
import type { ParsedMessage } from '../../core/parsed-message.ts';
import type { HeaderField } from '../headers.ts';
import { decodeWords } from '../mime/encoded-words.ts';
import type { MimePart } from '../mime/part.ts';
import { contentBody, rawContentBody } from '../mime/part-content.ts';
import { scanMime } from '../mime/scan.ts';
import { fieldGroups } from './field-groups.ts';
import { flatten } from './flatten.ts';
import { headersJson } from './header-json.ts';
import { LeafContents } from './leaf-content.ts';

/** What is nested deeper stays one part. */
const DEPTH_MAX = 10;

export interface ParseAsk {
  /** Texts are inline while all of them together are smaller, in bytes of UTF-8; 0: none is. */
  readonly maxInlineBytes: number;
}

type Content = { readonly inline: string } | { readonly create_id: string };
type Json = Readonly<Record<string, unknown>>;

/** Reads the body once; the blobs read it again, each its own part, and live as long as it does. Throws only what reading it throws. */
export async function parseMessage(body: Body, { maxInlineBytes }: ParseAsk): Promise<ParsedMessage> {
  const contents = new LeafContents(maxInlineBytes);
  const message = await scanMime(body, { depthMax: DEPTH_MAX, sinkFor: (part) => contents.sinkFor(part) });
  const writer = new MessageJson(body, contents);
  const parts = writer.node(message);
  const { text, related, files } = flatten(message);
  const lists = { text_body: text, related_attachments: related, file_attachments: files };
  const flat = Object.entries(lists)
    .filter(([, list]) => list.length > 0)
    .map(([name, list]) => [name, list.map((part) => writer.flat(part))]);
  return { json: { parts, ...Object.fromEntries(flat) }, blobs: writer.blobs };
}

/** Writes the JSON and numbers the blobs on the way. */
class MessageJson {
  readonly blobs = new Map<string, Body>();
  readonly #body: Body;
  readonly #leaves: LeafContents;
  readonly #contents = new Map<MimePart, Content>();
  #nothing: Content | undefined;

  constructor(body: Body, leaves: LeafContents) {
    this.#body = body;
    this.#leaves = leaves;
  }

  node(part: MimePart): Json {
    const head = { headers: headersJson(part.headers), content_type: part.type };
    if (part.parts.length > 0) return { ...head, parts: part.parts.map((child) => this.node(child)) };
    const { fields } = this.#leaves.of(part) ?? {};
    const groups = fields === undefined ? [] : fieldGroups(fields);
    if (groups.length === 0) return { ...head, content: this.#contentOf(part) };
    return { ...head, parts: groups.map((group) => this.#fieldsNode(group, part)) };
  }

  /** Without the rest of the tree. What is no leaf there is given as bytes here, so that a forwarded message is a file like any other. */
  flat(part: MimePart): Json {
    return { content_type: part.type, content: this.#contentOf(part), ...nameOf(part) };
  }

  /** Header fields without any content, which is said in a way every receiver understands. */
  #fieldsNode(fields: readonly HeaderField[], { type }: MimePart): Json {
    this.#nothing ??= this.#addBlob(memoryBody(Buffer.alloc(0)));
    // The fields of a message that is not here say what type it had; the others are a message of their own.
    const isExcerpt = type === 'text/rfc822-headers' || type === 'message/global-headers';
    return {
      headers: headersJson(fields),
      ...(!isExcerpt && { content_type: 'text/plain' }),
      content: this.#nothing,
    };
  }

  #contentOf(part: MimePart): Content {
    const known = this.#contents.get(part);
    if (known !== undefined) return known;
    const leaf = this.#leaves.of(part);
    const content =
      leaf?.text === undefined ? this.#addBlob(this.#blobOf(part)) : ({ inline: leaf.text } satisfies Content);
    this.#contents.set(part, content);
    return content;
  }

  /** A part that was looked into, or would have been had it been whole, is given as it was sent. */
  #blobOf(part: MimePart): Body {
    const leaf = this.#leaves.of(part);
    if (leaf === undefined) return rawContentBody(this.#body, part);
    if (leaf.sizeBytes === 0) return memoryBody(Buffer.alloc(0));
    return contentBody(this.#body, { part, ...leaf });
  }

  #addBlob(blob: Body): Content {
    const id = String(this.blobs.size);
    this.blobs.set(id, blob);
    return { create_id: id };
  }
}

/** What the part is called: its id where that comes before a file name, else the name it was given, wherever that stands. */
function nameOf({ headers, disposition, params }: MimePart): Json {
  for (const { name, value } of headers) {
    const key = name.toLowerCase();
    if (key === 'content-id') return { content_id: decodeWords(value) };
    if (key === 'content-disposition' && disposition?.value === 'attachment') break;
  }
  const filename = disposition?.params.get('filename') ?? params.get('name');
  return filename === undefined ? {} : { filename: decodeWords(filename) };
}
