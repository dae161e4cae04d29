/** What the builder writes, the parser reads: the same headers, texts and attachments. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { buildMessage } from '../../src/lib/message/builder.ts';
import { validateMessage } from '../../src/lib/message/mime/validity.ts';
import { normaliseBuilder } from '../../src/lib/message/normalise-builder.ts';
import { parseMessage } from '../../src/lib/message/parse/parse-message.ts';
import { seededRng } from '../helpers/fake-deps.ts';
import { bytesOf } from '../helpers/messages.ts';

async function build(ask: object, uploads: ReadonlyMap<string, Body> = new Map()): Promise<Body> {
  const normalised = normaliseBuilder(ask);
  if (!normalised.ok) throw new Error(JSON.stringify(normalised.mistakes));
  const parts = new Map(uploads);
  for (const { name, source } of normalised.blobs) if (source.kind === 'body') parts.set(name, source.body);
  return buildMessage(normalised.spec, parts, { rng: seededRng(1) });
}

/** Words without white space at the ends or controls: what a header can say and nothing that reads as an encoded word. */
const words = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 12 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }),
    ),
    {
      maxLength: 8,
    },
  )
  .map((pieces) =>
    pieces
      .join(' ')
      .replace(/[\u0000-\u001f\u007f-\u009f]|=\?|\?=/gu, '')
      .normalize()
      .replace(/\s+/gu, ' ')
      .trim(),
  );

const address = fc.constantFrom('a@b.test', '"a b"@c.test', 'x.y+z@d.e.test', 'ü@bücher.test', 'a@[192.0.2.1]');
const mailboxes = fc.array(fc.record({ display_name: words, address }), { minLength: 1, maxLength: 4 });
const text = fc
  .string({ unit: 'grapheme', maxLength: 300 })
  .map((value) => value.replaceAll('\r', '').replaceAll('\ufeff', ''));
const file = fc.record({
  filename: words.filter((name) => name !== ''),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 300 }),
});

describe('a built message', () => {
  it('is parsed to what it was built from', async () => {
    const date = { unix_secs: 1_767_225_600, tz_offset: -28_800 };
    await fc.assert(
      fc.asyncProperty(
        mailboxes,
        mailboxes,
        words,
        text,
        text,
        fc.array(file, { maxLength: 3 }),
        async (from, to, subject, plain, html, files) => {
          const uploads = new Map(files.map(({ bytes }, i) => [`f${i}`, memoryBody(Buffer.from(bytes))]));
          const message = await build(
            {
              headers: [
                ['from', from],
                ['to', to],
                ['date', date],
                ['message-id', ['one@a.test']],
                ['subject', subject],
              ],
              text_body: [
                { content_type: 'text/plain', content: { inline: plain } },
                { content_type: 'text/html', content: { inline: html } },
              ],
              related_attachments: [
                { content_type: 'image/png', content: { inline: 'png' }, content_id: 'logo@a.test' },
              ],
              file_attachments: files.map(({ filename }, i) => ({
                content_type: 'application/pdf',
                content: { create_id: `f${i}` },
                filename,
              })),
            },
            uploads,
          );
          const { json, blobs } = await parseMessage(message, { maxInlineBytes: 65_536 });
          const { parts, text_body, related_attachments, file_attachments = [] } = json as unknown as ParsedJson;
          const headers = Object.fromEntries(parts.headers);
          expect(headers).toMatchObject({
            from: from,
            to: to,
            date,
            'message-id': 'one@a.test',
            subject,
          });
          const texts = await Promise.all(text_body.map((part) => contentOf(part, blobs)));
          expect(texts.map(String)).toEqual([plain, html]);
          expect(related_attachments).toMatchObject([{ content_id: '<logo@a.test>' }]);
          expect(file_attachments.map(({ filename }) => filename)).toEqual(files.map(({ filename }) => filename));
          for (const [i, part] of file_attachments.entries()) {
            expect(await contentOf(part, blobs)).toEqual(Buffer.from(files[i]?.bytes ?? []));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('has nothing wrong with it', async () => {
    await fc.assert(
      fc.asyncProperty(
        mailboxes,
        words,
        text,
        fc.array(file, { maxLength: 2 }),
        async (from, subject, plain, files) => {
          const message = await build({
            headers: [
              ['from', from],
              ['date', { unix_secs: 1_767_225_600 }],
              ['message-id', ['one@a.test']],
              ['subject', subject],
            ],
            text_body: [{ content_type: 'text/plain', content: { inline: plain } }],
            file_attachments: files.map(({ filename }) => ({
              content_type: 'application/pdf',
              content: { inline: 'pdf' },
              filename,
            })),
          });
          expect(await validateMessage(message, { utf8: true })).toMatchObject({
            status: 'HIGH',
            receivedHeaderCount: 0,
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

interface ParsedJson {
  readonly parts: { readonly headers: readonly (readonly [string, unknown])[] };
  readonly text_body: readonly Part[];
  readonly related_attachments: readonly Part[];
  readonly file_attachments?: readonly Part[];
}

interface Part {
  readonly filename?: string;
  readonly content: { readonly inline?: string; readonly create_id?: string };
}

async function contentOf({ content }: Part, blobs: ReadonlyMap<string, Body>): Promise<Buffer> {
  if (content.inline !== undefined) return Buffer.from(content.inline);
  const blob = blobs.get(content.create_id ?? '');
  if (blob === undefined) throw new Error('a part without content');
  return bytesOf(blob);
}
