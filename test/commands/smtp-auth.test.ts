/** `koukan smtp-auth` as a user runs it, and what it prints as a gateway uses it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { loadSecrets } from '../../src/lib/auth/secrets.ts';
import { parseTokens } from '../../src/lib/auth/tokens.ts';

const koukan = path.resolve(import.meta.dirname, '../../bin/koukan.js');

describe('koukan smtp-auth', () => {
  it('prints a secret and its hash, which work together in a secrets file', async () => {
    const { stdout } = await execa('node', [koukan, 'smtp-auth']);
    const [secret = '', hash = '', ...more] = stdout.split(' ');
    expect(more).toEqual([]);
    const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-auth-'));
    try {
      writeFileSync(path.join(folder, 'secrets.json'), JSON.stringify({ ann: hash }));
      expect(loadSecrets(path.join(folder, 'secrets.json')).verify('ann', secret)).toBe(true);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('prints JSON, and never the same secret twice', async () => {
    const [one, two] = await Promise.all([0, 1].map(() => execa('node', [koukan, 'smtp-auth', '--json'])));
    const first = JSON.parse(one?.stdout ?? '') as { secret: string; hash: string };
    expect(Object.keys(first)).toEqual(['secret', 'hash']);
    expect(first).not.toEqual(JSON.parse(two?.stdout ?? ''));
  });

  it('makes a bearer token, and the line that goes into the file of tokens', async () => {
    const args = ['--token', '--sender', 'news', '--sender', 'alerts', '--name', 'shop'];
    const { stdout } = await execa('node', [koukan, 'smtp-auth', ...args]);
    const [token = '', line = '', ...more] = stdout.split('\n');
    expect(more).toEqual([]);
    expect(parseTokens(`{${line}}`, 'tokens.json').find(token)).toEqual({
      name: 'shop',
      senders: new Set(['news', 'alerts']),
      isTrusted: false,
      isOperator: false,
    });
  });

  it('names an entry by what it is for, and prints it as JSON', async () => {
    const { stdout } = await execa('node', [koukan, 'smtp-auth', '--token', '--operator', '--json']);
    const { token, name, entry } = JSON.parse(stdout) as { token: string; name: string; entry: object };
    expect(name).toBe('operator');
    expect(parseTokens(JSON.stringify({ [name]: entry }), 't').find(token)?.isOperator).toBe(true);
  });

  it.each([
    [['--token'], 'a token is for something: add --sender NAME, --trusted, or --operator'],
    [['--token', '--operator', '--sender', 'a'], 'an operator acts for every sender'],
    [['--sender', 'a'], '--token'],
  ])('says what is wrong with %j', async (args, words) => {
    const { exitCode, stdout, stderr } = await execa('node', [koukan, 'smtp-auth', ...args], { reject: false });
    expect({ exitCode, stdout }).toEqual({ exitCode: 64, stdout: '' });
    expect(stderr).toContain(words);
  });
});
