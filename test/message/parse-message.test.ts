/** What a receiving application gets of real messages, good and bad. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../src/lib/core/body.ts';
import { parseMessage } from '../../src/lib/message/parse/parse-message.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';
import { bytesOf, fixture, fixtureNames, piecewise } from '../helpers/messages.ts';

interface Node {
  readonly headers: readonly (readonly [string, unknown])[];
  readonly content_type?: string;
  readonly parts?: readonly Node[];
  readonly content?: { readonly inline?: string; readonly create_id?: string };
}

type Flat = Omit<Node, 'headers' | 'parts'> & { readonly filename?: string; readonly content_id?: string };

interface Parsed {
  readonly parts: Node;
  readonly text_body?: readonly Flat[];
  readonly related_attachments?: readonly Flat[];
  readonly file_attachments?: readonly Flat[];
}

interface Got {
  readonly json: Parsed;
  readonly blobs: ReadonlyMap<string, Body>;
}

async function parse(message: Buffer | Body, maxInlineBytes = 65_536): Promise<Got> {
  const body = Buffer.isBuffer(message) ? memoryBody(message) : message;
  const { json, blobs } = await parseMessage(body, { maxInlineBytes });
  return { json: JSON.parse(JSON.stringify(json)), blobs };
}

const header = (node: Node | undefined, name: string): unknown => node?.headers.find(([key]) => key === name)?.[1];

/** The content of a part, from wherever it is. */
async function contentOf({ blobs }: Got, part: Pick<Node, 'content'> | undefined): Promise<string> {
  const { inline, create_id } = part?.content ?? {};
  if (inline !== undefined) return inline;
  const blob = blobs.get(create_id ?? '');
  if (blob === undefined) throw new Error('a part without content');
  const bytes = await bytesOf(blob);
  expect(bytes.length).toBe(blob.size);
  return bytes.toString();
}

/** `type: content` of each, files with their names. */
async function listed(got: Got, list: readonly Flat[] | undefined): Promise<string[]> {
  const lines: string[] = [];
  for (const part of list ?? []) {
    const name = part.filename ?? part.content_id;
    lines.push(`${part.content_type}${name === undefined ? '' : ` ${name}`}: ${await contentOf(got, part)}`);
  }
  return lines;
}

describe('headers', () => {
  it('are structured where their form is known, in order, with lower-case names', async () => {
    const { json } = await parse(fixture('folded'));
    expect(json.parts.headers).toEqual([
      [
        'from',
        [
          { display_name: 'Alice', address: 'alice@a.test' },
          { display_name: 'Bob, the builder', address: 'bob@b.test' },
        ],
      ],
      [
        'to',
        [
          { display_name: '', address: 'carol@c.test' },
          { display_name: 'Dave', address: 'dave@d.test' },
        ],
      ],
      ['date', { unix_secs: Date.parse('2026-01-05T15:00:00Z') / 1000, tz_offset: -18_000 }],
      ['message-id', 'folded@a.test'],
      ['subject', 'a long\tsubject  that goes on'],
      ['references', '<x@a.test> <y@a.test>'],
    ]);
  });

  it('of types and dispositions have their parameters, RFC 2231 undone', async () => {
    const { json } = await parse(fixture('rfc2231-names'));
    expect(header(json.parts, 'content-type')).toEqual(['multipart/mixed', { boundary: 'm' }]);
    expect(json.parts.parts?.map((part) => header(part, 'content-disposition'))).toEqual([
      undefined,
      ['attachment', { filename: '€ rates für 2026.pdf' }],
      ['attachment', { filename: 'naïve.pdf' }],
      ['attachment', {}],
      ['attachment', { filename: 'a "quoted" \\ name.pdf' }],
    ]);
  });

  it('that are UTF-8 are read as that', async () => {
    const { json } = await parse(fixture('utf8-headers'));
    expect(header(json.parts, 'from')).toEqual([{ display_name: 'Jürgen', address: 'jürgen@bücher.test' }]);
    expect(header(json.parts, 'subject')).toBe('Grüße');
  });

  it('that do not have the form they should have stay text', async () => {
    const { json } = await parse(fixture('poison'));
    expect(json.parts.headers).toEqual([
      ['from', '<a@'],
      ['to', '"unclosed <b@b.test>'],
      ['cc', [{ display_name: expect.any(String), address: 'c@c.test' }]],
      ['date', ''],
      ['message-id', 'not an id'],
      ['subject', expect.stringContaining('=?utf-8?Z?what?=')],
      ['content-type', ['multipart/mixed', { boundary: 'b', charset: '\0' }]],
      ['content-disposition', ';;;'],
    ]);
  });

  it('a date that says nothing of its zone is in UTC', async () => {
    const { json } = await parse(Buffer.from('Date: Mon, 5 Jan 2026 10:00:00 -0000\r\n\r\n'));
    expect(header(json.parts, 'date')).toEqual({ unix_secs: Date.parse('2026-01-05T10:00:00Z') / 1000, tz_offset: 0 });
  });
});

describe('texts', () => {
  it.each([
    ['plain', 'Hello Bob,\n\nit shipped.\n'],
    ['8bit-utf8', 'Grüße aus Köln €5\n'],
    ['8bit-unlabelled-latin1', 'Grüße\n'],
    ['windows-1251', 'Привет, мир\n'],
    ['iso-2022-jp', '日本語のメール\nです\n'],
    ['shift-jis-quoted-printable', 'こんにちは\n'],
    ['unknown-charset', 'café\n'],
    ['uuencode', 'Here is the file:\n\nbegin 644 cat.txt\n#0V%T\n`\nend\n'],
    ['format-flowed', 'This line is \nflowed.\n\n-- \nAlice\n'],
  ])('of %s are Unicode with LF, inline', async (name, expected) => {
    const { json, blobs } = await parse(fixture(name));
    expect(json.text_body).toEqual([{ content_type: 'text/plain', content: { inline: expected } }]);
    expect(json.parts.content).toEqual({ inline: expected });
    expect(blobs.size).toBe(0);
  });

  it('are the same as blobs', async () => {
    for (const name of ['windows-1251', '8bit-unlabelled-latin1', 'iso-2022-jp', 'shift-jis-quoted-printable']) {
      const got = await parse(fixture(name), 0);
      const inline = await parse(fixture(name));
      expect(got.json.parts.content).toEqual({ create_id: '0' });
      expect(await contentOf(got, got.json.parts)).toBe(inline.json.parts.content?.inline);
    }
  });

  it('are inline while all of them together are smaller than max_inline, in bytes of UTF-8', async () => {
    const part = (text: string): string => `--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n${text}\r\n`;
    const message = `Content-Type: multipart/mixed; boundary=b\r\n\r\n${['ääää', 'xxxx', 'y', 'z'].map(part).join('')}--b--\r\n`;
    const kinds = async (max: number): Promise<string[]> =>
      ((await parse(Buffer.from(message), max)).json.parts.parts ?? []).map(({ content }) =>
        Object.values(content ?? {}).join(),
      );
    expect(await kinds(65_536)).toEqual(['ääää', 'xxxx', 'y', 'z']);
    expect(await kinds(9)).toEqual(['ääää', '0', '1', '2']);
    expect(await kinds(10)).toEqual(['ääää', '0', 'y', '1']);
    expect(await kinds(8)).toEqual(['0', 'xxxx', 'y', 'z']);
    expect(await kinds(0)).toEqual(['0', '1', '2', '3']);
  });
});

describe('the lists', () => {
  it.each<[string, string[], string[], string[]]>([
    ['html-first', ['text/html: <p>hi</p>', 'text/plain: hi'], [], []],
    ['three-alternatives', ['text/plain: hi', 'text/enriched: <bold>hi</bold>', 'text/html: <p>hi</p>'], [], []],
    [
      'related-in-alternative-in-mixed',
      ['text/plain: logo', 'text/html: <img src="cid:logo@a.test">'],
      ['image/png <logo@a.test>: \ufffdPNG\r\n\x1a\n'],
      ['text/csv list, of things.csv: a,b\n1,2'],
    ],
    [
      'related-outside',
      ['text/plain: dot', 'text/html: <img src="cid:dot@a.test">'],
      ['image/gif <dot@a.test>: GIF'],
      [],
    ],
    [
      'mixed-in-mixed',
      ['text/plain: text'],
      [],
      ['image/png one.png: \0\0\0', 'image/png two.png: \0\0\x01', 'image/png three.png: \0\0\x02'],
    ],
    ['pgp-signed', ['text/plain: signed text'], [], ['application/pdf contract.pdf: %PDF']],
    ['smime-signed', ['text/plain: signed'], [], []],
    [
      'calendar',
      ['text/plain: Lunch?', 'text/html: <p>Lunch?</p>', 'text/calendar: BEGIN:VCALENDAR\nEND:VCALENDAR\n'],
      [],
      [],
    ],
    ['inner-left-open', ['text/plain: plain', 'text/html: <p>html</p>'], [], ['application/pdf a.pdf: %PDF']],
    ['unterminated-multipart', ['text/plain: one'], [], ['text/plain: two\n']],
    ['missing-boundary', [], [], ['multipart/mixed: --b\r\n\r\none\r\n--b--\r\n']],
    ['unknown-type', [], [], ['application/x-nobody-knows: as is\r\n']],
    ['bad-base64', [], [], ['application/octet-stream: ABCDEFGHI']],
  ])('of %s', async (name, text, related, files) => {
    const got = await parse(fixture(name));
    expect(await listed(got, got.json.text_body)).toEqual(text);
    expect(await listed(got, got.json.related_attachments)).toEqual(related);
    expect(await listed(got, got.json.file_attachments)).toEqual(files);
    for (const list of [got.json.text_body, got.json.related_attachments, got.json.file_attachments]) {
      expect(list).not.toEqual([]);
    }
  });

  it('name files by whichever field comes first, and else by any name they have', async () => {
    const { json } = await parse(fixture('rfc2231-names'));
    expect(json.file_attachments?.map(({ filename }) => filename)).toEqual([
      '€ rates für 2026.pdf',
      'naïve.pdf',
      'päs.pdf',
      'a "quoted" \\ name.pdf',
    ]);
  });

  it('have a forwarded message as a file of its own bytes, and its parts in the tree', async () => {
    const got = await parse(fixture('nested-message'));
    const inner = got.json.parts.parts?.[1]?.parts?.[0];
    expect(header(inner, 'subject')).toBe('inner');
    expect(header(inner, 'date')).toEqual({ unix_secs: Date.parse('2026-01-04T09:00:00Z') / 1000, tz_offset: 0 });
    expect(inner?.parts?.map(({ content }) => content)).toEqual([{ inline: 'inner text' }, { inline: '<p>inner</p>' }]);
    expect(got.json.file_attachments).toMatchObject([{ content_type: 'message/rfc822', filename: 'forwarded.eml' }]);
    expect(await contentOf(got, got.json.file_attachments?.[0])).toMatch(/^From: Carol .*--n--\r\n$/s);
  });
});

describe('reports', () => {
  it('have their blocks of fields as parts without content', async () => {
    const got = await parse(fixture('dsn'));
    const [text, status, headers] = got.json.parts.parts ?? [];
    expect(text?.content).toEqual({ inline: 'Your message could not be delivered.' });
    expect(status?.parts?.map((part) => part.headers.map(([name]) => name))).toEqual([
      ['reporting-mta', 'arrival-date'],
      ['final-recipient', 'action', 'status', 'diagnostic-code'],
      ['final-recipient', 'action', 'status'],
    ]);
    expect(header(status?.parts?.[1], 'diagnostic-code')).toBe('smtp; 550 5.1.1 no such user');
    expect(headers?.parts).toMatchObject([
      {
        headers: [
          ['from', [{ address: 'alice@a.test' }]],
          ['to', [{ address: 'bob@b.test' }]],
          ['subject', 'Grüße'],
          ['content-type', ['multipart/mixed', { boundary: 'zzz' }]],
        ],
      },
    ]);
    for (const part of [...(status?.parts ?? []), ...(headers?.parts ?? [])])
      expect(await contentOf(got, part)).toBe('');
    expect(await listed(got, got.json.text_body)).toEqual(['text/plain: Your message could not be delivered.']);
    expect(got.json.file_attachments?.map(({ content_type }) => content_type)).toEqual([
      'message/delivery-status',
      'text/rfc822-headers',
    ]);
  });
});

/** What the example receiver of the original asks of every part: parts of its own, or a content that is not empty text. */
async function mustBeAcceptable(got: Got): Promise<void> {
  const { parts, text_body = [], related_attachments = [], file_attachments = [] } = got.json;
  const pending: (Node | Flat)[] = [parts, ...text_body, ...related_attachments, ...file_attachments];
  const named = new Set<string>();
  for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
    if ('parts' in part && part.parts !== undefined) {
      pending.push(...part.parts);
      continue;
    }
    const { inline, create_id } = part.content ?? {};
    expect((inline === undefined || inline === '') !== (create_id === undefined)).toBe(true);
    if (create_id !== undefined) named.add(create_id);
    await contentOf(got, part);
  }
  expect([...named].sort()).toEqual([...got.blobs.keys()].sort());
}

describe('every message', () => {
  it.each(fixtureNames)('%s is acceptable to receivers, whatever is inline, however it is read', async (name) => {
    for (const maxInline of [65_536, 0]) {
      const got = await parse(fixture(name), maxInline);
      await mustBeAcceptable(got);
      const again = await parse(piecewise(fixture(name), 7), maxInline);
      expect(again.json).toEqual(got.json);
      for (const [id, blob] of got.blobs) {
        expect(await bytesOf(again.blobs.get(id) as Body)).toEqual(await bytesOf(blob));
      }
    }
  });

  it('gives its blobs from the tree in the order of the message', async () => {
    const { json, blobs } = await parse(fixture('mixed-in-mixed'), 0);
    expect([...blobs.keys()]).toEqual(['0', '1', '2', '3']);
    expect(json.parts.parts?.[0]?.parts?.[0]?.content).toEqual({ create_id: '0' });
    expect(json.parts.parts?.[1]?.parts?.[1]?.content).toEqual({ create_id: '3' });
  });

  it('of any bytes is parsed', async () => {
    const crumbs = fc.array(
      fc.oneof(
        fc.constantFrom(
          '\r\n',
          '\n\n',
          '--b\r\n',
          '--b--\r\n',
          'Content-Type: ',
          'multipart/mixed; boundary=b\r\n\r\n',
          'Date: ',
          'From: ',
          '=?',
          '?=',
        ),
        fc.constantFrom(
          'text/rfc822-headers\r\n\r\n',
          'message/delivery-status\r\n\r\n',
          'message/rfc822\r\n\r\n',
          'Content-Transfer-Encoding: base64\r\n',
        ),
        fc.string({ unit: 'binary', maxLength: 10 }),
      ),
      { maxLength: 40 },
    );
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
      crumbs.map((pieces) => Buffer.from(pieces.join(''))),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (bytes) => mustBeAcceptable(await parse(bytes, 50))),
      { numRuns: 300 },
    );
  });

  it('nested without end stays one part where it is too deep', async () => {
    const deep = `${'Content-Type: message/rfc822\r\n\r\n'.repeat(2000)}Subject: bottom\r\n\r\nhi`;
    const got = await parse(Buffer.from(deep));
    let node: Node | undefined = got.json.parts;
    let depth = 0;
    for (; node?.parts !== undefined; depth += 1) node = node.parts[0];
    expect(depth).toBe(10);
    expect(await contentOf(got, node)).toMatch(/Subject: bottom\r\n\r\nhi$/);
  });

  it('with a header of a megabyte is parsed', async () => {
    const { json } = await parse(Buffer.from(`Subject: ${'=?utf-8?q?x?= '.repeat(70_000)}\r\nX: y\r\n\r\nhi`));
    expect(JSON.stringify(json).length).toBeGreaterThan(900_000);
  });

  it('of a thousand reports has the first of them as fields, and the others as bytes', async () => {
    const report = `--b\r\nContent-Type: message/delivery-status\r\n\r\n${'a: b\r\n\r\n'.repeat(900)}\r\n`;
    const got = await parse(
      Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n\r\n${report.repeat(990)}--b--\r\n`),
    );
    expect(JSON.stringify(got.json).length).toBeLessThan(4 << 20);
    const reports = got.json.parts.parts ?? [];
    expect([reports.length, reports[0]?.parts?.length, reports[989]?.parts]).toEqual([990, 900, undefined]);
    expect(await contentOf(got, reports[989])).toBe('a: b\r\n\r\n'.repeat(900));
  });

  it('of 20 MB gives its attachment piece by piece, from a file, without what is before it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'koukan-parse-test-'));
    const spool = new Spool(directory, fakeDeps());
    await spool.prepare();
    const attachment = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7919 + (i >> 8)) % 256));
    const lines = `${attachment.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n`;
    const head = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhi\r\n--b\r\n';
    const file = 'Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n';
    const writer = spool.writer({ maxBytes: 64 << 20 });
    await writer.append(Buffer.from(head + file));
    for (let i = 0; i < 7; i += 1) await writer.append(Buffer.from(lines));
    await writer.append(Buffer.from(`\r\n--b\r\n${file}`));
    for (let i = 0; i < 7; i += 1) await writer.append(Buffer.from(lines));
    await writer.append(Buffer.from('--b--\r\n'));
    try {
      const message = await writer.finish();
      const { json, blobs } = await parse(message);
      expect(json.file_attachments).toHaveLength(2);
      for (const blob of blobs.values()) {
        expect([blob.size, blob.inMemory]).toEqual([7 << 20, undefined]);
        let at = 0;
        for await (const chunk of blob.chunks()) {
          expect(chunk.length).toBeLessThan(1 << 20);
          for (let from = 0; from < chunk.length; ) {
            const place = (at + from) % attachment.length;
            const length = Math.min(chunk.length - from, attachment.length - place);
            expect(chunk.compare(attachment, place, place + length, from, from + length)).toBe(0);
            from += length;
          }
          at += chunk.length;
        }
        expect(at).toBe(blob.size);
      }
    } finally {
      writer.discard();
      await rm(directory, { recursive: true, force: true });
    }
  });
});
