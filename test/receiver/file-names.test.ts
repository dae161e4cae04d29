import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { envelopeFile, messageFile, parsedFile, partFile } from '../../src/lib/receiver/file-names.ts';

const ID = 'a'.repeat(32);

describe('the file of a part', () => {
  it.each([
    ['0', `${ID}.0`],
    ['logo.png', `${ID}.logo.png`],
    ['../../etc/passwd', `${ID}.%2E.%2F..%2Fetc%2Fpasswd`],
    ['msg', `${ID}.ms%67`],
    ['TX.json', `${ID}.TX.jso%6E`],
    ['x.part', `${ID}.x.par%74`],
    ['ü', `${ID}.%C3%BC`],
    ['', undefined],
    ['x'.repeat(500), undefined],
  ])('%j is %s', (name, wanted) => {
    expect(partFile(ID, name)).toBe(wanted);
  });

  it('stays in its directory and is never one of the other files, whatever it is called', () => {
    const others = [messageFile(ID), parsedFile(ID), envelopeFile(ID)];
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (name) => {
        const file = partFile(ID, name);
        if (file === undefined) return;
        expect(path.basename(file)).toBe(file);
        expect(path.win32.basename(file)).toBe(file);
        expect(file).toMatch(/^[\w.%-]{34,255}$/);
        expect(others).not.toContain(file);
        expect(file).not.toMatch(/\.part$/);
      }),
    );
  });

  it('is another one for another name', () => {
    const name = fc.string({ maxLength: 20, minLength: 1 });
    fc.assert(fc.property(name, name, (a, b) => a === b || partFile(ID, a) !== partFile(ID, b)));
  });
});
