import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { hashSecret, loadSecrets, mintSecret } from '../../src/lib/auth/secrets.ts';
import { UserError } from '../../src/lib/core/errors.ts';
import { seededRng } from '../helpers/fake-deps.ts';

const dir = mkdtempSync(join(tmpdir(), 'koukan-secrets-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function fileOf(text: string): string {
  const file = join(dir, 'secrets.json');
  writeFileSync(file, text);
  return file;
}

describe('a secrets file', () => {
  it('lets in who has the secret, and nobody else', () => {
    const rng = seededRng(7);
    const [ann, bob] = [mintSecret(rng), mintSecret(rng)];
    const secrets = loadSecrets(fileOf(JSON.stringify({ ann: hashSecret(ann), bob: hashSecret(bob).toUpperCase() })));
    expect(secrets.userCount).toBe(2);
    expect(secrets.verify('ann', ann)).toBe(true);
    expect(secrets.verify('bob', bob)).toBe(true);
    for (const [user, secret] of [
      ['ann', bob],
      ['Ann', ann],
      ['ann', ''],
      ['nobody', ''],
      ['nobody', ann],
      ['', ''],
      ['__proto__', ''],
      ['toString', ann],
    ] as const)
      expect(secrets.verify(user, secret)).toBe(false);
  });

  it('holds the plain hex SHA-256 of the UTF-8 secret', () => {
    expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(loadSecrets(fileOf(JSON.stringify({ é: hashSecret('ü') }))).verify('é', 'ü')).toBe(true);
  });

  it.each([
    ['{"ann": ', 'not JSON'],
    ['[]', 'not a JSON object'],
    ['null', 'not a JSON object'],
    ['{"ann": 5}', 'the hash of "ann" is not a SHA-256 in hex'],
    ['{"ann": "hunter2"}', 'the hash of "ann" is not a SHA-256 in hex'],
  ])('that says %s is refused with its name, and without what is in it', (text, why) => {
    const file = fileOf(text);
    expect(() => loadSecrets(file)).toThrow(UserError);
    expect(() => loadSecrets(file)).toThrow(`${file}: ${why}`);
    expect(() => loadSecrets(file)).not.toThrow('hunter2');
  });

  it('that is not there is refused with its name', () => {
    expect(() => loadSecrets(join(dir, 'none.json'))).toThrow(/none\.json: cannot be read \(ENOENT\)/);
  });

  it('gets new secrets that are long, random and need no quoting', () => {
    const rng = seededRng(3);
    const minted = new Set(Array.from({ length: 100 }, () => mintSecret(rng)));
    expect(minted.size).toBe(100);
    for (const secret of minted) expect(secret).toMatch(/^[\w-]{22}$/);
  });
});
