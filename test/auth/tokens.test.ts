/** The file of bearer tokens: what it may say, what is said of mistakes, and that a change counts without a restart. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { hashSecret } from '../../src/lib/auth/secrets.ts';
import { openTokens, parseTokens } from '../../src/lib/auth/tokens.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

const hash = hashSecret('s3cret');

function book(entries: unknown) {
  return parseTokens(JSON.stringify(entries), 'tokens.json');
}

function mistake(entries: unknown): string {
  try {
    parseTokens(typeof entries === 'string' ? entries : JSON.stringify(entries), 'tokens.json');
  } catch (error) {
    return (error as Error).message;
  }
  return 'none';
}

describe('a file of tokens', () => {
  it('says which senders a token is for', () => {
    const grant = book({ shop: { hash, senders: ['submission', 'news'] } }).find('s3cret');
    expect(grant).toEqual({
      name: 'shop',
      senders: new Set(['submission', 'news']),
      isTrusted: false,
      isOperator: false,
    });
  });

  it('lets a trusted token speak for every sender, unless it names some', () => {
    expect(book({ gw: { hash, trusted: true } }).find('s3cret')).toMatchObject({ senders: 'any', isTrusted: true });
    expect(book({ gw: { hash, trusted: true, senders: ['in'] } }).find('s3cret')).toMatchObject({
      senders: new Set(['in']),
      isTrusted: true,
    });
  });

  it('lets an operator see everything, without being believed more than others', () => {
    expect(book({ ops: { hash, operator: true } }).find('s3cret')).toEqual({
      name: 'ops',
      senders: new Set(),
      isTrusted: false,
      isOperator: true,
    });
  });

  it('takes the hash in either case, and knows only the token itself', () => {
    const { find } = book({ shop: { hash: hash.toUpperCase(), senders: ['a'] } });
    expect(find('s3cret')).toBeDefined();
    for (const wrong of ['', 's3cre', 's3cret ', 'S3CRET', hash]) expect(find(wrong)).toBeUndefined();
  });

  it('holds many tokens', () => {
    const entries = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [`t${i}`, { hash: hashSecret(`token-${i}`), senders: ['a'] }]),
    );
    const { find } = book(entries);
    expect(find('token-0')?.name).toBe('t0');
    expect(find('token-999')?.name).toBe('t999');
    expect(find('token-1000')).toBeUndefined();
  });

  it.each([
    ['no JSON', 's3cret', 'not JSON'],
    ['a list', [], 'not a JSON object of tokens'],
    ['a bare hash', { shop: hash }, '"shop" is not an object like'],
    ['a secret for a hash', { shop: { hash: 's3cret', senders: ['a'] } }, '"shop": "hash" is not a SHA-256 in hex'],
    ['no purpose', { shop: { hash } }, '"shop" is for nothing: give it "senders"'],
    ['a mistyped key', { shop: { hash, sender: ['a'] } }, 'unknown key "sender"; did you mean "senders"?'],
    ['a sender that is no list', { shop: { hash, senders: 'a' } }, '"senders" must be a list'],
    ['trust that is no boolean', { shop: { hash, trusted: 'yes' } }, '"trusted" must be true or false'],
    [
      'an operator with senders',
      { ops: { hash, operator: true, senders: ['a'] } },
      'an operator looks after every sender',
    ],
    [
      'one token twice',
      { a: { hash, senders: ['a'] }, b: { hash, senders: ['b'] } },
      '"b" has the hash of another entry',
    ],
  ])('refuses %s', (_, entries, words) => {
    expect(mistake(entries)).toContain(`tokens.json: `);
    expect(mistake(entries)).toContain(words);
    expect(mistake(entries)).not.toContain('s3cret');
  });
});

describe('a file of tokens that changes', () => {
  const one = JSON.stringify({ one: { hash: hashSecret('one'), senders: ['a'] } });
  const two = JSON.stringify({ two: { hash: hashSecret('two'), senders: ['a'] } });

  function opened() {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-tokens-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = path.join(folder, 'tokens.json');
    writeFileSync(file, one);
    const clock = new FakeClock();
    const log = memoryLog();
    return { file, clock, log, tokens: openTokens(file, { clock, log }) };
  }

  it('counts within a second', async () => {
    const { file, clock, tokens } = opened();
    expect(tokens.find('one')).toBeDefined();
    writeFileSync(file, two);
    await clock.advance(1000);
    expect(tokens.find('one')).toBeUndefined();
    expect(tokens.find('two')).toBeDefined();
  });

  it('keeps what it said when the new text is wrong, and says so once', async () => {
    const { file, clock, log, tokens } = opened();
    writeFileSync(file, '{"two": ');
    await clock.advance(1000);
    expect(tokens.find('one')).toBeDefined();
    await clock.advance(1000);
    expect(tokens.find('one')).toBeDefined();
    expect(log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    writeFileSync(file, two);
    await clock.advance(1000);
    expect(tokens.find('two')).toBeDefined();
  });

  it('keeps what it said when the file is gone', async () => {
    const { file, clock, tokens } = opened();
    rmSync(file);
    await clock.advance(1000);
    expect(tokens.find('one')).toBeDefined();
  });
});
