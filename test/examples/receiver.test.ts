/** The example receiver, run as its own first comment says. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

it('the example receiver refuses strangers and stores mail for support', async () => {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'koukan-example-'));
  const child = execa('node', ['examples/receiver/receiver.mjs', dir, '0'], { cwd: root, reject: false });
  try {
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    const url = (await lines.next()).value.replace('receiving at ', '');
    const create = async (to: string) => {
      const envelope = { mail_from: { m: 'ann@a.test' }, rcpt_to: [{ m: to }] };
      const answer = await fetch(url, { method: 'POST', body: JSON.stringify(envelope) });
      return { uri: answer.headers.get('location'), json: (await answer.json()) as Record<string, unknown> };
    };
    const refused = await create('boss@b.test');
    expect(refused.json.rcpt_response).toEqual([{ code: 550, message: '5.1.1 only support@ is read here' }]);
    const { uri } = await create('support@b.test');
    await fetch(`${uri}/body`, { method: 'PUT', body: 'Subject: help\r\n\r\n' });
    const line = (await lines.next()).value;
    expect(line).toMatch(/^ann@a\.test wrote 17 bytes: /);
    expect(await readFile(line.split(': ')[1], 'utf8')).toBe('Subject: help\r\n\r\n');
    child.kill('SIGTERM');
    expect((await child).exitCode).toBe(0);
  } finally {
    child.kill('SIGKILL');
    await child;
    await rm(dir, { recursive: true, force: true });
  }
});
