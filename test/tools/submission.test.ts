import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readBuilderFile } from '../../src/lib/tools/send/builder-file.ts';
import { completeMessage } from '../../src/lib/tools/send/message-text.ts';
import { worstExitCode } from '../../src/lib/tools/verdict.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'koukan-send-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

async function builder(json: unknown): Promise<string> {
  const path = join(dir, 'message.json');
  await writeFile(path, typeof json === 'string' ? json : JSON.stringify(json));
  return path;
}

const text = { content_type: 'text/plain', content: { inline: 'hi' } };

describe('a message-builder file', () => {
  it('may name local files, which are uploaded, and their names are shown', async () => {
    await mkdir(join(dir, 'files'));
    await writeFile(join(dir, 'files', 'report.pdf'), 'pdf!');
    const path = await builder({
      text_body: [text],
      related_attachments: [
        { content_type: 'image/png', content: { create_id: 'logo', filename: 'files/report.pdf' } },
      ],
      file_attachments: [{ content_type: 'application/pdf', content: { file: 'files/report.pdf' } }],
    });
    const submission = await readBuilderFile(path, 'alice@a.test', fakeDeps());
    if (submission.kind !== 'builder') throw new Error('not a builder');
    expect(submission.json).toEqual({
      headers: [
        ['date', { unix_secs: Date.UTC(2026, 0, 1) / 1000 }],
        ['message-id', [expect.stringMatching(/^[0-9a-f]{32}@a\.test$/)]],
      ],
      text_body: [text],
      related_attachments: [{ content_type: 'image/png', content: { create_id: 'logo' } }],
      file_attachments: [{ content_type: 'application/pdf', filename: 'report.pdf', content: { create_id: 'file1' } }],
    });
    const file = { path: join(dir, 'files', 'report.pdf'), sizeBytes: 4 };
    expect([...submission.files]).toEqual([
      ['logo', file],
      ['file1', file],
    ]);
  });

  it('keeps a date and an id that are there, however they are spelt', async () => {
    const headers = [
      ['Date', { unix_secs: 1 }],
      ['Message-ID', ['a@b']],
    ];
    const submission = await readBuilderFile(await builder({ headers }), 'alice@a.test', fakeDeps());
    expect(submission.kind === 'builder' && submission.json.headers).toEqual(headers);
  });

  it.each([
    ['{', 65, 'message.json: invalid JSON'],
    ['[]', 65, 'must be a JSON object'],
    [{ headers: [['from', 'x']] }, 65, 'message.json: /headers/0/1: '],
    [{ file_attachments: [{ content_type: 'a/b', content: { file: 'none.pdf' } }] }, 66, 'there is no file '],
    [{ file_attachments: [{ content_type: 'a/b', content: { file: '.' } }] }, 66, 'is not a file'],
    [{ file_attachments: [{ content_type: 'a/b', content: { file: 7 } }] }, 65, 'must be a string'],
  ])('%j is a mistake with exit status %i and says why', async (json, exitCode, message) => {
    const path = await builder(json);
    await expect(readBuilderFile(path, 'alice@a.test', fakeDeps())).rejects.toMatchObject({
      exitCode,
      message: expect.stringContaining(message),
    });
  });
});

describe('a finished message', () => {
  const complete = (message: string): string => {
    const submission = completeMessage(Buffer.from(message), 'alice@a.test', fakeDeps());
    return submission.kind === 'message' ? submission.bytes.toString() : '';
  };

  it('gets CRLF line ends, a date and an id', () => {
    const lines = complete('Subject: x\n\nhi\r\nthere\n').split('\r\n');
    expect(lines.slice(0, 1).concat(lines.slice(2))).toEqual([
      'Date: Thu, 01 Jan 2026 00:00:00 +0000',
      'Subject: x',
      '',
      'hi',
      'there',
      '',
    ]);
    expect(lines[1]).toMatch(/^Message-ID: <[0-9a-f]{32}@a\.test>$/);
  });

  it('is sent as it is when it has both', () => {
    const message = 'message-id: <a@b>\r\ndate: now\r\n\r\nü\r\n';
    expect(complete(message)).toBe(message);
  });

  it.each(['hello', '\nhello', '', 'a: b\n\n\0'])('%j is refused', (message) => {
    expect(() => complete(message)).toThrow(expect.objectContaining({ exitCode: 65 }));
  });
});

describe('the exit status of several recipients', () => {
  it.each([
    [[], 0],
    [[0, 0], 0],
    [[0, 67], 67],
    [[67, 69, 68], 69],
    [[69, 75, 0], 75],
  ])('%j is %i', (codes, wanted) => {
    expect(worstExitCode(codes)).toBe(wanted);
  });
});
