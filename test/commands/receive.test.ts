/** `koukan receive` as a user runs it. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const koukan = path.join(root, 'bin/koukan.js');
const running: Child[] = [];
let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(os.tmpdir(), 'koukan-receive-'));
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill('SIGKILL');
    await child;
  }
  await rm(dir, { recursive: true, force: true });
});

type Child = ReturnType<typeof run>;

function run(args: readonly string[]) {
  return execa('node', [koukan, 'receive', '--port', '0', ...args], { cwd: root, reject: false });
}

async function start(...args: string[]): Promise<{ child: Child; url: string; lines: AsyncIterator<string> }> {
  const child = run(['--dir', dir, ...args]);
  running.push(child);
  const [line] = (await firstLine(child.stderr)).match(/http:\S+/) ?? [];
  if (line === undefined) throw new Error('no URL');
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return { child, url: line.replace(/,$/, ''), lines };
}

async function firstLine(stream: NodeJS.ReadableStream | null): Promise<string> {
  for await (const line of createInterface({ input: stream as NodeJS.ReadableStream })) return line;
  throw new Error('ended without a line');
}

async function deliver(url: string, parsed?: object): Promise<void> {
  const envelope = { mail_from: { m: 'ann@a.test' }, rcpt_to: [{ m: 'app@b.test' }] };
  const created = await fetch(url, { method: 'POST', body: JSON.stringify(envelope) });
  const uri = created.headers.get('location');
  if (parsed !== undefined) {
    await fetch(`${uri}/message_builder`, { method: 'POST', body: JSON.stringify(parsed) });
    await fetch(`${uri}/blob/0`, { method: 'PUT', body: 'png' });
  }
  const put = await fetch(`${created.headers.get('location')}/body`, { method: 'PUT', body: 'Subject: x\r\n\r\n' });
  expect(put.status).toBe(200);
}

describe('koukan receive', () => {
  it('stores a message, prints a line, and ends in order on SIGTERM', async () => {
    const { child, url, lines } = await start();
    await deliver(url);
    const { value } = await lines.next();
    const files = (await readdir(dir)).sort();
    expect(files).toHaveLength(2);
    expect(value).toBe(`ann@a.test -> app@b.test: 14 bytes in ${path.join(dir, files[0] as string)}`);
    child.kill('SIGTERM');
    expect((await child).exitCode).toBe(0);
  });

  it('prints JSON when asked to', async () => {
    const { url, lines } = await start('--json');
    await deliver(url);
    const message = JSON.parse((await lines.next()).value);
    expect(message).toMatchObject({ mail_from: 'ann@a.test', rcpt_to: ['app@b.test'], size: 14, parts: {} });
    expect(await readFile(message.file, 'utf8')).toBe('Subject: x\r\n\r\n');
  });

  it('says where the parsed message and its parts are', async () => {
    const parsed = { parts: { headers: [], content_type: 'image/png', content: { create_id: '0' } } };
    const { url, lines } = await start('--json');
    await deliver(url, parsed);
    const message = JSON.parse((await lines.next()).value);
    expect(JSON.parse(await readFile(message.parsed_file, 'utf8'))).toEqual(parsed);
    expect(await readFile(message.parts['0'], 'utf8')).toBe('png');
    const people = await start();
    await deliver(people.url, parsed);
    expect((await people.lines.next()).value).toMatch(/: 14 bytes in .*\.msg, parsed, 1 part beside it$/);
  });

  it('says what is wrong with its directory', async () => {
    const { exitCode, stderr } = await run(['--dir', path.join(koukan, 'x')]);
    expect([exitCode, stderr]).toEqual([73, expect.stringContaining('cannot use the directory')]);
  });

  it('makes its directory, and says so at once where that cannot be done', async () => {
    const nested = path.join(dir, 'a/b/c');
    const child = run(['--dir', nested]);
    running.push(child);
    await firstLine(child.stderr);
    expect(await readdir(nested)).toEqual([]);
    const { exitCode, stderr } = await run(['--dir', '/proc/foo/bar']);
    expect([exitCode, stderr]).toEqual([73, expect.stringContaining('cannot use the directory /proc/foo/bar')]);
  });
});
