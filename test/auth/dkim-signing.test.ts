/** What our signatures look like to a verifier that we did not write. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { dkimVerify } from 'mailauth/lib/dkim/verify.js';
import { afterAll, describe, expect, it } from 'vitest';
import { dkimRecord } from '../../src/lib/auth/signing/dkim-record.ts';
import { parseKey } from '../../src/lib/auth/signing/signing-key.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { chainOf, mistakesOf, type StepYaml } from '../helpers/chain.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';

const folder = mkdtempSync(join(tmpdir(), 'koukan-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

const rsa = keyFile('rsa.pem', newKey('rsa'));
const ed25519 = keyFile('ed25519.pem', newKey('ed25519'));
const other = keyFile('other.pem', newKey('rsa'));

/** Every key that the tests publish. */
const zone = new Map<string, string>();
publish('example.com', 's1', rsa.pem);
publish('example.com', 'e1', ed25519.pem);
publish('bulk.test', 'b1', other.pem);

function newKey(type: 'rsa' | 'ed25519'): string {
  const { privateKey } =
    type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519');
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function keyFile(name: string, pem: string): { path: string; pem: string } {
  const path = join(folder, name);
  writeFileSync(path, pem);
  return { path, pem };
}

function publish(domain: string, selector: string, pem: string): void {
  const { name, text } = dkimRecord(domain, selector, parseKey(pem));
  zone.set(name, text);
}

/** `d= s= result` of every signature, in order. */
async function verdicts(message: Buffer): Promise<readonly string[]> {
  const { results } = await dkimVerify(message, {
    resolver: async (name: string) => {
      const text = zone.get(name);
      if (text === undefined) throw Object.assign(new Error('no record'), { code: 'ENOTFOUND' });
      return [[text]];
    },
  });
  return results
    .filter(({ signingDomain }) => signingDomain !== undefined)
    .map(({ signingDomain, selector, status }) => `${signingDomain} ${selector} ${status.result}`);
}

const single = { filter: 'dkim_sign', domain: 'example.com', selector: 's1', key: rsa.path };

async function sign(message: string | Buffer, step: StepYaml = single, clock = new FakeClock()): Promise<Buffer> {
  const chain = chainOf({ steps: [step], deps: { clock } })();
  await chain.mail('ann@example.com');
  await chain.rcpt('bob@dest.test');
  expect(await chain.data(message)).toBe('250 2.0.0 ok');
  return chain.reached.data[0] as Buffer;
}

const message = [
  'Received: from a by b; Sat, 21 Nov 2026 10:00:00 +0000',
  'From: Ann <ann@example.com>',
  'To: bob@dest.test',
  'Subject: a  folded',
  '\tsubject',
  'Date: Sat, 21 Nov 2026 10:00:00 +0000',
  'Message-ID: <1@example.com>',
  '',
  'Hello  there ',
  '',
  'bye',
  '',
  '',
].join('\r\n');

describe('a signed message', () => {
  it.each(['relaxed/simple', 'relaxed/relaxed', 'simple/simple', 'simple/relaxed'])('verifies with %s', async (c) => {
    const signed = await sign(message, { ...single, canonicalization: c });
    expect(await verdicts(signed)).toEqual(['example.com s1 pass']);
    expect(signed.toString()).toContain(`c=${c};`);
    expect(signed.toString().endsWith(message)).toBe(true);
  });

  it('carries an rsa and an ed25519 signature side by side', async () => {
    const keys = [
      { domain: 'example.com', selector: 's1', key: rsa.path },
      { domain: 'example.com', selector: 'e1', key: ed25519.path },
    ];
    const signed = await sign(message, { filter: 'dkim_sign', keys });
    expect(await verdicts(signed)).toEqual(['example.com s1 pass', 'example.com e1 pass']);
  });

  it('fails once its body, its subject or a second From is touched', async () => {
    const text = (await sign(message)).toString();
    for (const changed of [
      text.replace('bye', 'buy'),
      text.replace('Subject: a', 'Subject: b'),
      text.replace('To: bob', 'From: eve@evil.test\r\nTo: bob'),
      text.replace('Date:', 'Reply-To: eve@evil.test\r\nDate:'),
    ]) {
      expect(await verdicts(Buffer.from(changed))).not.toContain('example.com s1 pass');
    }
  });

  it('still verifies when a hop adds trace fields, refolds the header or adds empty lines at the end', async () => {
    const text = (await sign(message)).toString();
    const travelled = `Received: by next\r\n${text.replace('a  folded\r\n\tsubject', 'a folded subject')}\r\n\r\n`;
    expect(await verdicts(Buffer.from(travelled))).toEqual(['example.com s1 pass']);
  });

  it.each([
    ['8-bit bytes', Buffer.from('From: ann@example.com\r\nSubject: gr\xfc\xdfe\r\n\r\n\xe4\xf6\xfc\r\n', 'latin1')],
    ['internationalised headers', 'From: Änn <ann@example.com>\r\nSubject: 件名\r\n\r\nhej\r\n'],
    ['no body', 'From: ann@example.com\r\n\r\n'],
    ['no last line end', 'From: ann@example.com\r\n\r\nend'],
    ['a body of line ends', `From: ann@example.com\r\n\r\n${'\r\n'.repeat(100_000)}`],
    [
      'many recipients on folded lines',
      `From: ann@example.com\r\nTo: ${'x@dest.test,\r\n '.repeat(500)}y@z.test\r\n\r\nx\r\n`,
    ],
    ['repeated fields', 'From: ann@example.com\r\nList-Post: 1\r\nList-Post: 2\r\n\r\nx\r\n'],
  ])('verifies with %s', async (_, text) => {
    for (const canonicalization of ['relaxed/simple', 'relaxed/relaxed']) {
      const signed = await sign(text, { ...single, canonicalization });
      expect(await verdicts(signed)).toEqual(['example.com s1 pass']);
    }
  });

  it('verifies whatever the body is made of', async () => {
    const piece = fc.constantFrom('\r\n', ' ', '\t', 'a', '.', ' \r\n', 'ü', '\r\n\r\n');
    await fc.assert(
      fc.asyncProperty(fc.array(piece), fc.constantFrom('simple', 'relaxed'), async (pieces, body) => {
        // SMTP ends a message with a line end.
        const text = `From: ann@example.com\r\n\r\n${pieces.join('')}\r\n`;
        const signed = await sign(text, { ...single, canonicalization: `relaxed/${body}` });
        expect(await verdicts(signed)).toEqual(['example.com s1 pass']);
      }),
      { numRuns: 60 },
    );
  });

  it('verifies after the SMTP client has made CRLF of lone line ends', async () => {
    for (const ending of ['\n', '\r']) {
      const signed = await sign(
        message.replaceAll('\r\n', '\n').replace('there \n\nbye', `there${ending}${ending}bye${ending}`),
      );
      const sent = signed.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
      expect(await verdicts(Buffer.from(sent, 'latin1'))).toEqual(['example.com s1 pass']);
    }
  });

  it('verifies after the SMTP client has made fields of what stands behind lone line ends in the header', async () => {
    for (const ending of ['\n', '\r']) {
      const signed = await sign(message.replace('\r\nTo: ', `${ending}To: `), {
        ...single,
        canonicalization: 'simple/simple',
      });
      const sent = signed.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
      expect(await verdicts(Buffer.from(sent, 'latin1'))).toEqual(['example.com s1 pass']);
    }
  });

  it('verifies when a field is there more often than anybody signs', async () => {
    const signed = await sign(`${'To: carl@dest.test\r\n'.repeat(30)}${message}`);
    expect(await verdicts(signed)).toEqual(['example.com s1 pass']);
  });

  it('has no line longer than 78 characters and no bare line end in what was added', async () => {
    const added = (await sign(message)).toString().slice(0, -message.length);
    for (const line of added.split('\r\n')) expect(line.length).toBeLessThanOrEqual(78);
    expect(added.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
  });

  it('says when it was signed and when that ends', async () => {
    const clock = new FakeClock(1_800_000_000_000);
    const signed = await sign(message, { ...single, expires_after: 3600 }, clock);
    expect(signed.toString()).toContain('t=1800000000; x=1800003600;');
  });

  it('covers just the fields that were asked for', async () => {
    const signed = await sign(message, { ...single, headers: ['From', 'Subject'], oversign: ['From'] });
    expect(signed.toString()).toContain('h=from:from:subject;');
    const changed = signed.toString().replace('To: bob', 'To: carl');
    expect(await verdicts(Buffer.from(changed))).toEqual(['example.com s1 pass']);
  });
});

describe('several domains', () => {
  const keys = [
    { domain: 'example.com', selector: 's1', key: rsa.path },
    { domain: 'bulk.test', selector: 'b1', key: other.path },
  ];

  it('sign for the author’s domain only, subdomains included', async () => {
    const step = { filter: 'dkim_sign', keys };
    expect(await verdicts(await sign(message, step))).toEqual(['example.com s1 pass']);
    const sub = message.replace('ann@example.com', 'ann@Mail.Bulk.Test');
    expect(await verdicts(await sign(sub, step))).toEqual(['bulk.test b1 pass']);
    const none = message.replace('ann@example.com', 'ann@elsewhere.test');
    expect((await sign(none, step)).toString()).toBe(none);
  });

  it('sign beside it for everybody when a key says so', async () => {
    const step = { filter: 'dkim_sign', keys: [keys[0], { ...keys[1], when: 'always' }] };
    expect(await verdicts(await sign(message, step))).toEqual(['example.com s1 pass', 'bulk.test b1 pass']);
  });
});

it('names are written as DNS has them, and an agent must be written so', async () => {
  publish('xn--bcher-kva.example', 'xn--t-9fab', rsa.pem);
  publish('xn--bcher-kva.example', '2026', rsa.pem);
  for (const selector of ['été', '2026']) {
    const signed = await sign(message, { ...single, domain: 'BÜCHER.example', selector });
    expect(signed.toString('latin1')).toMatch(/^[\x00-\x7f]*$/);
    expect(await verdicts(signed)).toEqual([
      `xn--bcher-kva.example ${selector === '2026' ? selector : 'xn--t-9fab'} pass`,
    ]);
  }
  const key = { domain: 'example.com', selector: 's1', key: rsa.path };
  const identity = (text: string) =>
    mistakesOf({ steps: [{ filter: 'dkim_sign', keys: [{ ...key, identity: text }] }] });
  expect(identity('@ü.example.com')).toHaveLength(1);
  expect(identity('ann@elsewhere.test')).toHaveLength(1);
  expect(identity('@Mail.example.com')).toEqual([]);
});

describe('a key file', () => {
  it('is read again when it changes, and a broken one leaves the old key in use', async () => {
    const file = keyFile('rotating.pem', rsa.pem);
    const clock = new FakeClock();
    const open = chainOf({ steps: [{ ...single, key: file.path }], deps: { clock } });
    const send = async (): Promise<readonly string[]> => {
      const chain = open();
      await chain.mail('ann@example.com');
      await chain.rcpt('bob@dest.test');
      expect(await chain.data(message)).toBe('250 2.0.0 ok');
      return verdicts(chain.reached.data[0] as Buffer);
    };
    expect(await send()).toEqual(['example.com s1 pass']);
    writeFileSync(file.path, other.pem);
    utimesSync(file.path, 1, 1);
    await clock.advance(10_000);
    expect(await send()).toEqual(['example.com s1 fail']);
    writeFileSync(file.path, 'half a key');
    utimesSync(file.path, 2, 2);
    await clock.advance(10_000);
    expect(await send()).toEqual(['example.com s1 fail']);
    writeFileSync(file.path, rsa.pem);
    utimesSync(file.path, 3, 3);
    await clock.advance(10_000);
    expect(await send()).toEqual(['example.com s1 pass']);
  });

  it('that is looked at while the client leaves with its message ends in no bug', async () => {
    const { exchange, mail, rcpt, reached } = chainOf({ steps: [single] })();
    await mail('ann@example.com');
    await rcpt('bob@dest.test');
    const writer = new Spool('unused', fakeDeps()).writer({ maxBytes: 1000 });
    await writer.append(Buffer.from(message));
    // The first message has the file looked at.
    const answer = exchange.data(await writer.finish(true));
    await exchange.close();
    writer.discard();
    expect(await answer).toMatchObject({ code: 450 });
    expect(reached.data).toEqual([]);
  });

  it.each([
    ['is not there', join(folder, 'none.pem'), 'cannot be read (ENOENT)'],
    ['holds no key', keyFile('text.pem', 'hello').path, 'holds no private key in PEM form'],
    [
      'holds a short key',
      keyFile('short.pem', shortKey()).path,
      'holds an RSA key of 512 bits; at least 1024 are needed',
    ],
  ])('that %s is a mistake of the configuration', (_, key, expected) => {
    const [mistake] = mistakesOf({ steps: [{ ...single, key }] });
    expect(mistake?.message).toContain(expected);
    expect(mistake?.path).toEqual(['chain', 0, 'key']);
  });

  it('is needed: a filter without one does nothing', () => {
    const [mistake] = mistakesOf({ steps: [{ filter: 'dkim_sign', domain: 'example.com', selector: 's1' }] });
    expect(mistake?.message).toContain('needs domain, selector and key');
  });
});

function shortKey(): string {
  return generateKeyPairSync('rsa', { modulusLength: 512 })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString();
}
