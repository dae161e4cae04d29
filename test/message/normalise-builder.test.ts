import { describe, expect, it } from 'vitest';
import { bodyBytes } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { normaliseBuilder, parsePartUri } from '../../src/lib/message/normalise-builder.ts';
import { validateBuilder } from '../../src/lib/message/validate-builder.ts';

const part = (content: unknown, more: object = {}): object => ({ content_type: 'text/plain', content, ...more });
const at = (path: string): string => `/body/message_builder${path}`;

describe('message-builder JSON', () => {
  it('names every part and says where its bytes come from', async () => {
    const normalised = normaliseBuilder({
      headers: [['subject', 'x']],
      text_body: [part({ inline: 'hello' }), part({ create_id: 'hero' })],
      related_attachments: [part({ reuse_uri: 'http://r:8000/transactions/AA1/blob/logo' }, { content_id: 'l' })],
      file_attachments: [part({ inline: '' }), part({ reuse_uri: '/transactions/AA1/blob/x', create_id: 'mine' })],
    });
    if (!normalised.ok) throw new Error(JSON.stringify(normalised.mistakes));
    const { spec, blobs } = normalised;
    expect(blobs.map(({ name, source, pointer }) => [name, source.kind, pointer])).toEqual([
      ['inline0', 'body', at('/text_body/0/content')],
      ['hero', 'open', at('/text_body/1/content')],
      ['logo', 'reuse', at('/related_attachments/0/content')],
      ['inline3', 'body', at('/file_attachments/0/content')],
      ['mine', 'reuse', at('/file_attachments/1/content')],
    ]);
    expect(blobs[4]?.source).toEqual({ kind: 'reuse', txId: 'AA1', name: 'x' });
    const inline = blobs[0]?.source;
    expect(inline?.kind === 'body' && (await bodyBytes(inline.body)).toString()).toBe('hello');
    expect(spec).toEqual({
      headers: [['subject', 'x']],
      text_body: [part({ create_id: 'inline0' }), part({ create_id: 'hero' })],
      related_attachments: [part({ create_id: 'logo' }, { content_id: 'l' })],
      file_attachments: [part({ create_id: 'inline3' }), part({ create_id: 'mine' })],
    });
  });

  it('is not changed by doing it again, after a trip through JSON', () => {
    const once = normaliseBuilder({ text_body: [part({ inline: 'a' })], file_attachments: [part({ create_id: 'b' })] });
    if (!once.ok) throw new Error('refused');
    const twice = normaliseBuilder(JSON.parse(JSON.stringify(once.spec)));
    expect(twice.ok && twice.spec).toEqual(once.spec);
  });

  it('accepts nothing at all', () => {
    expect(normaliseBuilder({})).toMatchObject({ ok: true, blobs: [] });
  });

  it.each([
    ['a content without any key', part({}), 'must be one of {"inline"}, {"create_id"}, {"reuse_uri"}'],
    ['a content that is text', part('hi'), 'must be one of {"inline"}, {"create_id"}, {"reuse_uri"}'],
    [
      'the URI of a message',
      part({ reuse_uri: '/transactions/a/body' }),
      'reuse_uri must be the URI of a part: …/transactions/ID/blob/NAME',
    ],
    ['the name of the message', part({ create_id: 'body' }), 'the name "body" is reserved'],
    ['an internal name', part({ create_id: '__internal_x' }), 'the name "__internal_x" is reserved'],
    ['a path', part({ create_id: '../x' }), 'create_id must be 1 to 128 characters without spaces, slashes or % ? #'],
    ['dots', part({ create_id: '..' }), 'create_id must be 1 to 128 characters without spaces, slashes or % ? #'],
    [
      'an empty name',
      part({ create_id: '' }),
      'create_id must be 1 to 128 characters without spaces, slashes or % ? #',
    ],
  ])('refuses %s, with a pointer', (_, text, detail) => {
    const normalised = normaliseBuilder({ text_body: [text] });
    expect(normalised).toEqual({ ok: false, mistakes: [{ pointer: at('/text_body/0/content'), detail }] });
  });

  it('refuses two parts of one name', () => {
    const normalised = normaliseBuilder({
      text_body: [part({ inline: 'a' })],
      file_attachments: [part({ create_id: 'inline0' })],
    });
    const mistake = { pointer: at('/file_attachments/0/content'), detail: 'two parts are named "inline0"' };
    expect(normalised).toEqual({ ok: false, mistakes: [mistake] });
  });

  const ok = part({ inline: 'a' });
  it.each<[string, unknown, string]>([
    ['an array', [], ''],
    ['a misspelt list', { text_bodies: [] }, '/text_bodies'],
    ['a key with a slash', { 'a/b~': 1 }, '/a~1b~0'],
    ['headers as an object', { headers: { subject: 'x' } }, '/headers'],
    ['a header without a value', { headers: [['subject']] }, '/headers/0'],
    ['a header name with a space', { headers: [['sub ject', 'x']] }, '/headers/0/1'],
    ['a header that would start another', { headers: [['subject', 'x\r\nBcc: y@z']] }, '/headers/0/1'],
    ['a NUL in a header', { headers: [['subject', 'x\0']] }, '/headers/0/1'],
    [
      'two subjects',
      {
        headers: [
          ['subject', 'x'],
          ['Subject', 'y'],
        ],
      },
      '/headers/1/0',
    ],
    ['a content type among the headers', { headers: [['content-type', 'text/plain']] }, '/headers/0/1'],
    ['an address that is none', { headers: [['from', [{ address: 'alice' }]]] }, '/headers/0/1/0/address'],
    ['an address as a list', { headers: [['to', [['x@y.test']]]] }, '/headers/0/1/0'],
    [
      'a display name with a line break',
      { headers: [['to', [{ address: 'a@b', display_name: 'x\n' }]]] },
      '/headers/0/1/0/display_name',
    ],
    ['text without addresses', { headers: [['From', 'nobody']] }, '/headers/0/1'],
    ['a date of zero', { headers: [['date', { unix_secs: 0 }]] }, '/headers/0/1/unix_secs'],
    ['a date in milliseconds', { headers: [['date', { unix_secs: 1_767_225_600_000 }]] }, '/headers/0/1/unix_secs'],
    ['an offset of a day', { headers: [['date', { unix_secs: 1, tz_offset: 86_400 }]] }, '/headers/0/1/tz_offset'],
    ['a message id as bare text', { headers: [['message-id', 'a@b']] }, '/headers/0/1'],
    ['a message id with a space', { headers: [['message-id', ['a b@c']]] }, '/headers/0/1/0'],
    ['two message ids', { headers: [['message-id', ['a@b', 'c@d']]] }, '/headers/0/1'],
    ['a part that is text', { text_body: ['hello'] }, '/text_body/0'],
    ['a part without a type', { text_body: [{ content: { inline: 'x' } }] }, '/text_body/0/content_type'],
    [
      'a type without a subtype',
      { text_body: [part({ inline: 'x' }, { content_type: 'text' })] },
      '/text_body/0/content_type',
    ],
    [
      'a multipart',
      { text_body: [part({ inline: 'x' }, { content_type: 'multipart/mixed' })] },
      '/text_body/0/content_type',
    ],
    [
      'another charset',
      { text_body: [part({ inline: 'x' }, { content_type: 'text/plain; charset=latin1' })] },
      '/text_body/0/content_type',
    ],
    [
      'a file name with a line break',
      { file_attachments: [part({ inline: 'x' }, { filename: 'a\nb' })] },
      '/file_attachments/0/filename',
    ],
    [
      'a file name that is a number',
      { file_attachments: [part({ inline: 'x' }, { filename: 1 })] },
      '/file_attachments/0/filename',
    ],
    [
      'a content id with spaces',
      { related_attachments: [part({ inline: 'x' }, { content_id: 'a b' })] },
      '/related_attachments/0/content_id',
    ],
    ['inline bytes', { text_body: [part({ inline: [1] })] }, '/text_body/0/content/inline'],
    ['too many parts', { text_body: Array.from({ length: limits.messageBuilderParts + 1 }, () => ok) }, ''],
    [
      'too many headers',
      { headers: Array.from({ length: limits.messageBuilderHeaders + 1 }, () => ['x', 'y']) },
      '/headers',
    ],
    ['headers that would take seconds to write', { headers: [['to', 'a@b.c, '.repeat(20_000)]] }, '/headers'],
  ])('refuses %s at its place', (_, ask, path) => {
    expect(validateBuilder(ask).map(({ pointer }) => pointer)).toEqual([at(path)]);
  });

  it('reports all mistakes at once, but no more than twenty', () => {
    expect(validateBuilder({ headers: [['from', 'x']], text_body: [{}] })).toHaveLength(2);
    expect(validateBuilder({ text_body: Array.from({ length: 100 }, () => ({})) })).toHaveLength(20);
  });

  it('takes text that says it is UTF-8', () => {
    expect(
      validateBuilder({ text_body: [part({ inline: 'x' }, { content_type: 'text/plain; charset="UTF-8"' })] }),
    ).toEqual([]);
  });
});

describe('the URI of a part', () => {
  it.each([
    ['http://router:8000/transactions/AA1/blob/hero', { txId: 'AA1', name: 'hero' }],
    ['/transactions/AA1/blob/a%20b', { txId: 'AA1', name: 'a b' }],
    ['https://host/prefix/transactions/A/blob/b', { txId: 'A', name: 'b' }],
    ['/transactions/AA1/body', undefined],
    ['/transactions/AA1/blob/', undefined],
    ['/transactions/AA1/blob/%zz', undefined],
    ['hero', undefined],
  ])('%s', (uri, wanted) => {
    expect(parsePartUri(uri)).toEqual(wanted);
  });
});
