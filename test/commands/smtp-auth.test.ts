/** `koukan smtp-auth` as a user runs it, and what it prints as a gateway uses it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { loadSecrets } from '../../src/lib/auth/secrets.ts';

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
});
