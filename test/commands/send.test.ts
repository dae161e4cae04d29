/** `koukan send` as a user runs it, against a router that is scripted. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRouter } from '../tools/fake-router.ts';

const root = path.resolve(import.meta.dirname, '../..');
const koukan = path.join(root, 'bin/koukan.js');
const example = 'examples/send-message/message-builder.json';
let router: FakeRouter;

beforeEach(async () => {
  router = await FakeRouter.start();
});
afterEach(() => router.close());

async function send(args: readonly string[], input = '') {
  const { exitCode, stdout, stderr } = await execa('node', [koukan, 'send', ...args], {
    cwd: root,
    reject: false,
    input,
    env: { KOUKAN_URL: router.url },
  });
  return { exitCode, stdout, stderr };
}

const from = ['--mail-from', 'alice@example.com'];

describe('koukan send', () => {
  it('sends the example with its files and prints what became of it', async () => {
    expect(await send([...from, '--message-builder', example, 'ok@b.test'])).toEqual({
      exitCode: 0,
      stdout: 'ok@b.test: delivered: 250 2.0.0 queued as 1',
      stderr: '',
    });
    const [tx] = router.transactions;
    const builder = tx?.json.body.message_builder;
    expect(builder.headers.map(([name]: [string]) => name)).toEqual(['From', 'To', 'Subject', 'date', 'message-id']);
    expect(builder.file_attachments[0]).toEqual({
      content_type: 'text/csv',
      filename: 'packing-list.csv',
      content: { create_id: 'file1' },
    });
    const png = await readFile(path.join(root, 'examples/send-message/parcel.png'));
    expect(tx?.uploads.get('file0')?.equals(png)).toBe(true);
  });

  it('takes the flags of upstream, and a message on standard input', async () => {
    const args = ['--mail_from', '<>', '--rfc822_filename', '-', 'ok@b.test'];
    expect((await send(args, 'Subject: x\n\nhi\n')).exitCode).toBe(0);
    expect(router.transactions[0]?.json.mail_from).toEqual({ m: '' });
    expect(router.transactions[0]?.uploads.get('body')?.toString()).toMatch(/\r\nSubject: x\r\n\r\nhi\r\n$/);
    const other = ['--mail_from', 'a@b.test', '--message_builder_filename', example, 'ok@b.test'];
    expect((await send(other)).exitCode).toBe(0);
  });

  it('sends to several, uploads once, and exits with the worst of them', async () => {
    const { exitCode, stdout } = await send([
      ...from,
      '--json',
      '--message-builder',
      example,
      'ok@b.test',
      'nouser@b.test',
    ]);
    expect(exitCode).toBe(67);
    expect(JSON.parse(stdout)).toEqual({
      exit_code: 67,
      recipients: [
        {
          recipient: 'ok@b.test',
          state: 'delivered',
          response: { code: 250, message: '2.0.0 queued as 1' },
          transaction: `${router.url}/transactions/0`,
          exit_code: 0,
        },
        {
          recipient: 'nouser@b.test',
          state: 'failed',
          response: { code: 550, message: '5.1.1 no such user' },
          reason: 'permfail',
          transaction: `${router.url}/transactions/1`,
          exit_code: 67,
        },
      ],
    });
    expect(router.transactions[1]?.uploads.size).toBe(0);
    expect(router.transactions[1]?.json.body.message_builder.file_attachments[0].content).toEqual({
      create_id: 'file1',
      reuse_uri: `${router.url}/transactions/0/blob/file1`,
    });
  });

  it('exits with 75 and says where to look when there is no answer in time', async () => {
    const { exitCode, stdout } = await send([...from, '--wait', '1', '--rfc822', '-', 'silent@b.test'], 'a: b\n\n');
    expect([exitCode, stdout]).toEqual([75, `silent@b.test: no answer yet\n  ${router.url}/transactions/0`]);
  });

  it.each([
    ['no message', ['ok@b.test'], 64, 'message-builder'],
    ['two messages', ['--rfc822', '-', '--message-builder', example, 'ok@b.test'], 64, 'rfc822'],
    ['no recipient', ['--rfc822', '-'], 64, 'recipients'],
    ['a recipient that is none', ['--rfc822', '-', 'bob'], 64, 'not an address: bob'],
    ['an unknown flag', ['--rfc822', '-', '--urgent', 'ok@b.test'], 64, '--urgent'],
    ['a missing file', ['--rfc822', 'none.eml', 'ok@b.test'], 66, 'there is no file none.eml'],
    ['a URL that is none', ['--url', 'localhost:8000', '--rfc822', '-', 'ok@b.test'], 64, '--url must be like'],
    ['an empty message', ['--rfc822', '-', 'ok@b.test'], 65, 'must begin with its header'],
  ])('refuses %s before anything is sent', async (_, args, exitCode, message) => {
    const result = await send([...from, ...args]);
    expect(result).toMatchObject({ exitCode, stdout: '', stderr: expect.stringContaining(message) });
    expect(router.calls).toEqual([]);
  });

  it('says what to do when no router runs', async () => {
    await router.close();
    const { exitCode, stderr } = await send([...from, '--message-builder', example, 'ok@b.test']);
    expect([exitCode, stderr]).toEqual([75, expect.stringContaining('connection refused. Is a router running there?')]);
  });
});
