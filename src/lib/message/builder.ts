/**
 * Builds a message from the message-builder JSON and its parts (protocol §3.2, RFC 2045 to 2049). Parts are encoded while they are read:
 * a large attachment is never in memory as a whole, and the size is known before the first byte is.
 *
 *   mixed( alternative( text, related( html, images… ) ), files… )      each level only where it is needed
 */
import type { Body } from '../core/body.ts';
import type { Rng } from '../core/deps.ts';
import { BUILDER_POINTER, BuilderError, type BuilderSpec, PART_LISTS, type PartSpec } from './builder-spec.ts';
import { scanText, withCrlf } from './canonical-text.ts';
import { writeField } from './header-field.ts';
import { renderHeader } from './header-values.ts';
import { normaliseBuilder } from './normalise-builder.ts';
import { isText, partHeader } from './part-header.ts';
import { base64Body, joinSegments, type Segment } from './segments.ts';

/** A node of the MIME tree: its own header fields, and what follows the blank line. */
interface Node {
  readonly header: string;
  readonly content: readonly Segment[];
}

/**
 * The whole message. `spec` comes from `normaliseBuilder`; `parts` has every blob it names. Throws `BuilderError` when a part is missing
 * or a text part is not UTF-8. The parts are read once here when they are text, and again on every reading of the result.
 */
export async function buildMessage(
  spec: BuilderSpec,
  parts: ReadonlyMap<string, Body>,
  deps: { readonly rng: Rng },
): Promise<Body> {
  const lists: Record<(typeof PART_LISTS)[number], readonly Node[]> = {
    text_body: [],
    related_attachments: [],
    file_attachments: [],
  };
  for (const list of PART_LISTS) {
    const nodes: Node[] = [];
    for (const [i, part] of spec[list].entries()) {
      nodes.push(await leaf(part, list, parts, `${BUILDER_POINTER}/${list}/${i}/content`));
    }
    lists[list] = nodes;
  }
  const root = tree(spec, lists, deps.rng);
  const head = `${headerLines(spec)}MIME-Version: 1.0\r\n${root?.header ?? ''}\r\n`;
  return joinSegments([Buffer.from(head), ...(root?.content ?? [])]);
}

/** The header of the message alone, from stored JSON: what a report can quote of a message that was never built. Empty when it is no good. */
export function builderHeaderBlock(json: unknown): Buffer {
  const normalised = normaliseBuilder(json);
  return Buffer.from(normalised.ok ? headerLines(normalised.spec) : '');
}

function headerLines(spec: BuilderSpec): string {
  return spec.headers.map(([name, value]) => renderHeader(name, value)).join('');
}

function tree(
  spec: BuilderSpec,
  { text_body, related_attachments, file_attachments }: Record<(typeof PART_LISTS)[number], readonly Node[]>,
  rng: Rng,
): Node | undefined {
  // Related parts belong to the part that refers to them by cid:, which is the HTML one.
  const html = spec.text_body.findIndex((part) => /^text\/html\b/i.test(part.content_type));
  const owner = html === -1 ? 0 : html;
  const hasRelated = related_attachments.length > 0 && text_body.length > 0;
  const texts = text_body.map((node, i) => {
    if (i !== owner || !hasRelated) return node;
    const type = spec.text_body[i]?.content_type.split(';')[0]?.trim() ?? '';
    return multipart('related', [node, ...related_attachments], rng, `; type="${type}"`);
  });
  const body = texts.length > 1 ? multipart('alternative', texts, rng) : texts[0];
  // Without a text there is nothing to be related to.
  const files = hasRelated ? file_attachments : [...related_attachments, ...file_attachments];
  if (files.length === 0) return body;
  return multipart('mixed', body === undefined ? files : [body, ...files], rng);
}

/** A boundary with `=_` cannot occur inside base64 (RFC 2045 §6.8); its random part keeps the levels apart. */
function multipart(subtype: string, children: readonly Node[], rng: Rng, params = ''): Node {
  const boundary = `=_${subtype}_${rng.bytes(12).toString('hex')}`;
  const content = children.flatMap((child): Segment[] => [
    Buffer.from(`--${boundary}\r\n${child.header}\r\n`),
    ...child.content,
    Buffer.from('\r\n'),
  ]);
  return {
    header: writeField('Content-Type', `multipart/${subtype}${params}; boundary="${boundary}"`),
    content: [...content, Buffer.from(`--${boundary}--\r\n`)],
  };
}

async function leaf(
  part: PartSpec,
  list: (typeof PART_LISTS)[number],
  parts: ReadonlyMap<string, Body>,
  pointer: string,
): Promise<Node> {
  const source = parts.get(part.content.create_id);
  if (source === undefined) throw new BuilderError([{ pointer, detail: 'the part is missing' }]);
  const body = isText(part.content_type) ? await textBody(source, list === 'text_body', pointer) : source;
  return { header: partHeader({ ...part, ...dispositionOf(part, list) }), content: [base64Body(body)] };
}

function dispositionOf(
  part: PartSpec,
  list: (typeof PART_LISTS)[number],
): { readonly disposition?: 'inline' | 'attachment' } {
  if (list === 'related_attachments') return { disposition: 'inline' };
  return list === 'file_attachments' && part.filename !== undefined ? { disposition: 'attachment' } : {};
}

/** Text to be shown gets MIME's line ends; a text file that is attached arrives byte for byte. */
async function textBody(source: Body, isShown: boolean, pointer: string): Promise<Body> {
  const bareLineFeeds = await scanText(source);
  if (bareLineFeeds === undefined) throw new BuilderError([{ pointer, detail: 'the text is not valid UTF-8' }]);
  return isShown ? withCrlf(source, bareLineFeeds) : source;
}
