/** `koukan dkim keygen` as a user runs it. */
import { createPrivateKey, createPublicKey } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { koukanBin } from '../helpers/process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'koukan-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

const keygen = (...args: string[]) => execa('node', [koukanBin, 'dkim', 'keygen', ...args], { reject: false });

describe('koukan dkim keygen', () => {
  it('writes an rsa key of 2048 bits that only its owner can read, and prints the record in strings that DNS can hold', async () => {
    const out = join(folder, 's.pem');
    const { exitCode, stdout } = await keygen('Example.com', '--selector', 's2026', '--out', out);
    expect(exitCode).toBe(0);
    const key = createPrivateKey(await readFile(out));
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(stdout).toMatch(/^s2026\._domainkey\.example\.com\. IN TXT \( "v=DKIM1; k=rsa; p=/);
    const strings = [...stdout.matchAll(/"([^"]*)"/g)].map(([, text]) => text ?? '');
    for (const text of strings) expect(text.length).toBeLessThanOrEqual(255);
    const p = /p=(.*)$/.exec(strings.join(''))?.[1] ?? '';
    const published = createPublicKey({ key: Buffer.from(p, 'base64'), format: 'der', type: 'spki' });
    expect(published.equals(createPublicKey(key))).toBe(true);
  });

  it('makes an ed25519 key, whose record holds its 32 bytes', async () => {
    const out = join(folder, 'e.pem');
    const args = ['example.com', '--selector', 'e1', '--type', 'ed25519', '--out', out, '--json'];
    const { exitCode, stdout } = await keygen(...args);
    expect(exitCode).toBe(0);
    const { file, name, text } = JSON.parse(stdout) as { file: string; name: string; text: string };
    expect({ file, name }).toEqual({ file: out, name: 'e1._domainkey.example.com' });
    expect(Buffer.from(/p=(.*)$/.exec(text)?.[1] ?? '', 'base64')).toHaveLength(32);
  });

  it('says so when there is no folder for the key', async () => {
    const out = join(folder, 'none', 's.pem');
    const { exitCode, stderr } = await keygen('example.com', '--selector', 's1', '--type', 'ed25519', '--out', out);
    expect([exitCode, stderr]).toEqual([73, `cannot write ${out}: its folder does not exist`]);
  });

  it('does not replace a key unless it is told to', async () => {
    const out = join(folder, 's.pem');
    await writeFile(out, 'precious');
    const refused = await keygen('example.com', '--selector', 's1', '--type', 'ed25519', '--out', out);
    expect(refused.exitCode).toBe(73);
    expect(refused.stderr).toContain('exists already');
    expect(await readFile(out, 'utf8')).toBe('precious');
    const forced = await keygen('example.com', '--selector', 's1', '--type', 'ed25519', '--out', out, '--force');
    expect(forced.exitCode).toBe(0);
    expect(await readdir(folder)).toEqual(['s.pem']);
    expect((await stat(out)).mode & 0o777).toBe(0o600);
  });

  it.each([
    [['not a domain', '--selector', 's1'], 64, 'is not a domain'],
    [['example.com', '--selector', 's 1'], 64, 'is not a selector'],
    [['example.com'], 64, 'selector'],
  ])('explains what is wrong with %j', async (args, code, text) => {
    const { exitCode, stderr } = await keygen(...args);
    expect(exitCode).toBe(code);
    expect(stderr).toContain(text);
  });
});
