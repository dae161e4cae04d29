import { describe, expect, it } from 'vitest';
import { type Body, bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { builderHeaderBlock, buildMessage } from '../../src/lib/message/builder.ts';
import { normaliseBuilder } from '../../src/lib/message/normalise-builder.ts';
import { seededRng } from '../helpers/fake-deps.ts';
import { decodeWords, header, type MimeNode, readMime, readParams, shape } from './mime-reader.ts';

const text = (type: string, inline: string, more: object = {}): object => ({
  content_type: type,
  content: { inline },
  ...more,
});

async function build(ask: object, uploads: Record<string, Body> = {}, seed = 1): Promise<Body> {
  const normalised = normaliseBuilder(ask);
  if (!normalised.ok) throw new Error(JSON.stringify(normalised.mistakes));
  const parts = new Map(Object.entries(uploads));
  for (const { name, source } of normalised.blobs) if (source.kind === 'body') parts.set(name, source.body);
  return buildMessage(normalised.spec, parts, { rng: seededRng(seed) });
}

async function read(ask: object, uploads: Record<string, Body> = {}): Promise<MimeNode> {
  const body = await build(ask, uploads);
  const bytes = await bodyBytes(body);
  expect(bytes.length).toBe(body.size);
  return readMime(bytes);
}

describe('a message built from JSON', () => {
  it('writes the headers as the client named them, in order, and then its own', async () => {
    const body = await build({
      headers: [
        ['from', [{ address: 'alice@a.test', display_name: 'Alice A.' }]],
        ['TO', [{ address: 'bob@b.test' }, { address: 'carol@c.test', display_name: 'Carol' }]],
        ['Subject', 'Your order'],
        ['date', { unix_secs: 1_767_225_600, tz_offset: -28_800 }],
        ['message-id', ['one@a.test']],
        ['references', ['x@a.test', 'y@a.test']],
      ],
      text_body: [text('text/plain', 'It shipped.')],
    });
    expect((await bodyBytes(body)).toString()).toBe(
      [
        'from: "Alice A." <alice@a.test>',
        'TO: bob@b.test, Carol <carol@c.test>',
        'Subject: Your order',
        'date: Wed, 31 Dec 2025 16:00:00 -0800',
        'message-id: <one@a.test>',
        'references: <x@a.test> <y@a.test>',
        'MIME-Version: 1.0',
        'Content-Type: text/plain; charset="utf-8"',
        'Content-Transfer-Encoding: base64',
        '',
        'SXQgc2hpcHBlZC4=',
        '',
      ].join('\r\n'),
    );
  });

  const png = { content_type: 'image/png', content: { inline: 'png' }, content_id: 'logo@x' };
  const pdf = { content_type: 'application/pdf', content: { inline: 'pdf' }, filename: 'a.pdf' };
  const plain = text('text/plain', 'plain');
  const html = text('text/html', '<b>html</b>');

  it.each([
    ['one text', { text_body: [plain] }, 'text/plain'],
    ['alternatives', { text_body: [plain, html] }, 'alternative(text/plain,text/html)'],
    ['an image in HTML', { text_body: [html], related_attachments: [png] }, 'related(text/html,image/png)'],
    ['a file', { text_body: [plain], file_attachments: [pdf] }, 'mixed(text/plain,application/pdf)'],
    [
      'everything, HTML first',
      { text_body: [html, plain], related_attachments: [png], file_attachments: [pdf, pdf] },
      'mixed(alternative(related(text/html,image/png),text/plain),application/pdf,application/pdf)',
    ],
    [
      'everything, HTML last: the image stays with the part that shows it',
      { text_body: [plain, html], related_attachments: [png], file_attachments: [pdf] },
      'mixed(alternative(text/plain,related(text/html,image/png)),application/pdf)',
    ],
    ['only a file', { file_attachments: [pdf] }, 'mixed(application/pdf)'],
    ['only related parts', { related_attachments: [png] }, 'mixed(image/png)'],
  ])('nests %s', async (_, ask, wanted) => {
    expect(shape(await read(ask))).toBe(wanted);
  });

  it('is a header block and an empty body when the JSON has headers only', async () => {
    const node = await read({ headers: [['subject', 'hi']] });
    expect([header(node, 'subject'), header(node, 'mime-version'), node.content.length]).toEqual(['hi', '1.0', 0]);
    expect(header(node, 'content-type')).toBeUndefined();
  });

  it('encodes every part in base64 and labels text as UTF-8', async () => {
    const node = await read({ text_body: [plain, html], file_attachments: [pdf] });
    const leaves = [...(node.children[0]?.children ?? []), node.children[1] as MimeNode];
    expect(leaves.map((leaf) => header(leaf, 'content-transfer-encoding'))).toEqual(['base64', 'base64', 'base64']);
    expect(leaves.map((leaf) => leaf.params.charset)).toEqual(['utf-8', 'utf-8', undefined]);
    expect(leaves.map((leaf) => leaf.content.toString())).toEqual(['plain', '<b>html</b>', 'pdf']);
  });

  it('describes related parts and files as MIME clients expect', async () => {
    const node = await read({
      text_body: [html],
      related_attachments: [png, { ...png, content_id: '<bracketed@x>' }],
      file_attachments: [
        pdf,
        { content_type: 'text/csv', content: { inline: 'a' } },
        { ...pdf, filename: 'Rechnung "Größe" – 日本語のとても長いファイル名です、本当に.pdf' },
      ],
    });
    const related = node.children[0]?.children.slice(1) ?? [];
    expect(related.map((part) => header(part, 'content-id'))).toEqual(['<logo@x>', '<bracketed@x>']);
    expect(related.map((part) => header(part, 'content-disposition'))).toEqual(['inline', 'inline']);
    expect(node.children[0]?.params.type).toBe('text/html');
    const files = node.children.slice(1).map((part) => readParams(header(part, 'content-disposition') ?? 'none'));
    expect(files).toEqual([
      { value: 'attachment', params: { filename: 'a.pdf' } },
      { value: 'none', params: {} },
      {
        value: 'attachment',
        params: { filename: 'Rechnung "Größe" – 日本語のとても長いファイル名です、本当に.pdf' },
      },
    ]);
  });

  it('ends the lines of shown text with CRLF and leaves attached text as it is', async () => {
    const node = await read({
      text_body: [text('text/plain', 'a\nb\r\nc\n')],
      file_attachments: [text('text/csv', 'a\nb\r\n', { filename: 'x.csv' })],
    });
    expect(node.children.map((part) => part.content.toString())).toEqual(['a\r\nb\r\nc\r\n', 'a\nb\r\n']);
  });

  it('finds line ends that are cut between two chunks', async () => {
    const pieces = ['a\r', '\nb\n', '\nc', '\n'].map((piece) => Buffer.from(piece));
    const upload: Body = {
      ...memoryBody(Buffer.alloc(0)),
      size: 8,
      async *chunks() {
        yield* pieces;
      },
    };
    const node = await read(
      { text_body: [{ content_type: 'text/plain', content: { create_id: 't' } }] },
      { t: upload },
    );
    expect(node.content.toString()).toBe('a\r\nb\r\n\r\nc\r\n');
  });

  it('keeps blind copies blind, however the header is spelt', async () => {
    const bytes = await bodyBytes(
      await build({
        headers: [
          ['Bcc', [{ address: 'secret@b.test' }]],
          ['resent-bcc', 'hidden@b.test'],
          ['to', []],
          ['subject', 'x'],
        ],
      }),
    );
    expect(bytes.toString()).toBe('subject: x\r\nMIME-Version: 1.0\r\n\r\n');
  });

  it('encodes what is not ASCII and gives it back to a reader', async () => {
    const subject = 'Grüße aus München, 😀 and a rather long tail of plain words that has to be folded at some place';
    const node = await read({
      headers: [
        ['subject', subject],
        ['From', [{ address: 'jürgen@bücher.test', display_name: 'Jürgen, "der" Große' }]],
        ['to', [{ address: 'x@bücher.test', display_name: '日本語' }]],
        ['Reply-To', 'Jörg <joerg@x.test>'],
        ['x-note', '  two  spaces\tand a tab  '],
      ],
    });
    expect(decodeWords(header(node, 'subject') ?? '')).toBe(subject);
    expect(decodeWords(header(node, 'from') ?? '')).toBe('Jürgen, "der" Große <jürgen@bücher.test>');
    expect(header(node, 'to')).toMatch(/ <x@xn--bcher-kva\.test>$/);
    expect(decodeWords(header(node, 'reply-to') ?? '')).toBe('Jörg <joerg@x.test>');
    expect(header(node, 'x-note')).toBe('two  spaces\tand a tab');
  });

  it('takes structured headers as text too, as upstream did for names in capitals', async () => {
    const node = await read({
      headers: [
        ['From', '"Alice, A." <alice@a.test>'],
        ['Date', 'Thu, 01 Jan 2026 10:00:00 +0100'],
        ['Message-ID', '<one@a.test>'],
        ['MIME-Version', '1.0'],
      ],
    });
    expect(node.headers).toEqual([
      ['From', '"Alice, A." <alice@a.test>'],
      ['Date', 'Thu, 01 Jan 2026 10:00:00 +0100'],
      ['Message-ID', '<one@a.test>'],
      ['MIME-Version', '1.0'],
    ]);
  });

  it('is the same bytes for the same randomness, and has other boundaries for another', async () => {
    const ask = { text_body: [plain, html] };
    const [one, same, other] = await Promise.all([1, 1, 2].map(async (seed) => bodyBytes(await build(ask, {}, seed))));
    expect(one?.equals(same as Buffer)).toBe(true);
    expect(one?.equals(other as Buffer)).toBe(false);
  });

  it('streams a large attachment in small pieces and knows its size beforehand', async () => {
    const size = 25 * 1024 * 1024 + 1;
    const piece = Buffer.alloc(100_003, 'x');
    let released = 0;
    const upload: Body = {
      size,
      async *chunks() {
        for (let at = 0; at < size; at += piece.length) yield piece.subarray(0, Math.min(piece.length, size - at));
      },
      retain: () => () => {
        released += 1;
      },
    };
    const file = { content_type: 'application/octet-stream', content: { create_id: 'big' }, filename: 'big' };
    const body = await build({ text_body: [plain], file_attachments: [file] }, { big: upload });
    expect(body.inMemory).toBeUndefined();
    let read = 0;
    let largest = 0;
    for await (const chunk of body.chunks()) {
      read += chunk.length;
      largest = Math.max(largest, chunk.length);
    }
    expect(read).toBe(body.size);
    expect(largest).toBeLessThan(300_000);
    body.retain()();
    expect(released).toBe(1);
  });

  it('can show its header before its parts are there', () => {
    const part = { content_type: 'text/plain', content: { create_id: 'later' } };
    const block = builderHeaderBlock({ headers: [['Subject', 'ü']], text_body: [part] });
    expect(block.toString()).toBe('Subject: =?UTF-8?B?w7w=?=\r\n');
    expect(builderHeaderBlock({ headers: 7 }).toString()).toBe('');
  });

  it('refuses text that is not UTF-8 and parts that are missing, with a pointer', async () => {
    const ask = { text_body: [{ content_type: 'text/plain', content: { create_id: 't' } }] };
    const latin1 = memoryBody(Buffer.from('Grüße', 'latin1'));
    const cut = memoryBody(Buffer.from('ü').subarray(0, 1));
    const pointer = '/body/message_builder/text_body/0/content';
    for (const [uploads, detail] of [
      [{ t: latin1 }, 'the text is not valid UTF-8'],
      [{ t: cut }, 'the text is not valid UTF-8'],
      [{}, 'the part is missing'],
    ] as const) {
      await expect(build(ask, uploads)).rejects.toMatchObject({ mistakes: [{ pointer, detail }] });
    }
  });
});
