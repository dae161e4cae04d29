/** `koukan config migrate` as a user runs it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { koukanBin } from '../helpers/process.ts';

const old = `
rest_listener: {addr: [127.0.0.1, 8001], session_uri: "http://127.0.0.1:8001"}
smtp_output:
  outbound: {ehlo_host: mail.example.com}   # to the world
`;

let file: string;
beforeEach(async () => {
  file = join(await mkdtemp(join(tmpdir(), 'koukan-test-')), 'gateway.yaml');
  await writeFile(file, old);
});
afterEach(() => rm(join(file, '..'), { recursive: true }));

const migrate = (...args: string[]) =>
  execa('node', [koukanBin, 'config', 'migrate', file, ...args], { reject: false });

describe('koukan config migrate', () => {
  it('prints the new text, says on standard error what was changed, and leaves the file alone', async () => {
    const { exitCode, stdout, stderr } = await migrate();
    expect(exitCode).toBe(0);
    expect(stdout).toContain('hosts:');
    expect(stdout).toContain('# to the world');
    expect(stderr).toContain(`${file}:4: 'outbound' moved below 'hosts'`);
    expect(await readFile(file, 'utf8')).toBe(old);
  });

  it('replaces the file and keeps the old one, but never an older copy', async () => {
    expect((await migrate('--write')).exitCode).toBe(0);
    expect(await readFile(`${file}.orig`, 'utf8')).toBe(old);
    expect(await readFile(file, 'utf8')).toContain('hosts:');
    await writeFile(file, old);
    const again = await migrate('--write');
    expect(again.exitCode).toBe(73);
    expect(again.stderr).toContain('gateway.yaml.orig is there already');
    expect(await readFile(file, 'utf8')).toBe(old);
  });

  it('says what is left to be done, in the new text', async () => {
    await writeFile(file, `${old}bogus: 1\n`);
    const { exitCode, stderr } = await migrate();
    expect(exitCode).toBe(78);
    expect(stderr).toMatch(/What is left[\s\S]*unknown key 'bogus'/);
  });

  it('has nothing to change in a file of today', async () => {
    await migrate('--write');
    await rm(`${file}.orig`);
    const { exitCode, stderr } = await migrate('--write');
    expect(exitCode).toBe(0);
    expect(stderr).toContain('nothing to change');
  });
});
