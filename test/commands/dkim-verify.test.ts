/** `koukan dkim keygen`, the filter that signs with its key, and `koukan dkim verify`, together. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openChain } from '../helpers/chain.ts';
import { koukanBin } from '../helpers/process.ts';

let folder: string;
const at = (name: string): string => join(folder, name);
const koukan = (...args: string[]) => execa('node', [koukanBin, 'dkim', ...args], { reject: false });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koukan-test-'));
  const { stdout } = await koukan('keygen', 'example.com', '--selector', 's1', '--out', at('key.pem'));
  await writeFile(at('record.txt'), `${stdout}\n`);
  const step = { filter: 'dkim_sign', domain: 'example.com', selector: 's1', key: at('key.pem') };
  const chain = openChain({ steps: [step] });
  await chain.mail('ann@example.com');
  await chain.rcpt('bob@dest.test');
  await chain.data('From: ann@example.com\r\nSubject: hi\r\n\r\nhello\r\n');
  await writeFile(at('signed.eml'), chain.reached.data[0] as Buffer);
});
afterAll(() => rm(folder, { recursive: true }));

describe('koukan dkim verify', () => {
  it('finds a good signature good, by the record that keygen printed', async () => {
    const { exitCode, stdout } = await koukan('verify', '--record', at('record.txt'), at('signed.eml'));
    expect(stdout).toBe('pass example.com s1 (rsa-sha256, 2048 bits; From is in this domain)');
    expect(exitCode).toBe(0);
  });

  it('reads a message that was saved with the line ends of this machine', async () => {
    await writeFile(at('lf.eml'), (await readFile(at('signed.eml'), 'utf8')).replaceAll('\r\n', '\n'));
    expect((await koukan('verify', '--record', at('record.txt'), at('lf.eml'))).exitCode).toBe(0);
  });

  it('says what is wrong with a changed message', async () => {
    await writeFile(at('changed.eml'), (await readFile(at('signed.eml'), 'utf8')).replace('hello', 'jello'));
    const { exitCode, stdout } = await koukan('verify', '--record', at('record.txt'), at('changed.eml'));
    expect(exitCode).toBe(65);
    expect(stdout).toMatch(/^fail example\.com s1 \(.*\): .*body/);
  });

  it('says when DNS cannot be asked', async () => {
    const { exitCode, stdout } = await koukan('verify', '--dns', '127.0.0.1:1', '--json', at('signed.eml'));
    expect(exitCode).toBe(75);
    expect(JSON.parse(stdout)).toMatchObject({ signatures: [{ domain: 'example.com', result: 'temperror' }] });
  });

  it('says what a DNS server has to look like', async () => {
    const { exitCode, stderr } = await koukan('verify', '--dns', 'foo', at('signed.eml'));
    expect([exitCode, stderr]).toEqual([64, expect.stringContaining('--dns foo: expected an IP address')]);
  });

  it('says that a message is not signed, and that a file is not there', async () => {
    await writeFile(at('plain.eml'), 'From: ann@example.com\r\n\r\nhi\r\n');
    const plain = await koukan('verify', at('plain.eml'));
    expect([plain.exitCode, plain.stdout]).toEqual([65, 'not signed']);
    const none = await koukan('verify', at('none.eml'));
    expect([none.exitCode, none.stderr]).toEqual([66, `there is no file ${at('none.eml')}`]);
  });
});
