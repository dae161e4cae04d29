/** Which DKIM signatures count, judged on messages signed by a library that is not ours. */
import { sign as signBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSigned } from '../../src/lib/auth/dkim/read-signed.ts';
import { DkimSigner } from '../../src/lib/auth/signing/dkim-signature.ts';
import { DEFAULT_HEADERS, headerChoice } from '../../src/lib/auth/signing/signed-headers.ts';
import type { SigningKey } from '../../src/lib/auth/signing/signing-key.ts';
import { verifyDkim } from '../../src/lib/auth/verify-dkim.ts';
import { type Body, memoryBody, prefixedBody } from '../../src/lib/core/body.ts';
import type { DkimSignature } from '../../src/lib/core/signals/dkim.ts';
import { HeldBody } from '../../src/lib/spool/held-body.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { fakeDeps, fakeDns, type Zone } from '../helpers/fake-deps.ts';
import { published, type SignAsk, signedBy, type TestKey, testKey } from '../helpers/signed-mail.ts';

const rsa = testKey('example.com');
const ed25519 = testKey('example.com', 'e1', 'ed25519');
const other = testKey('lists.test');
const txt = published(rsa, ed25519, other);

const message = [
  'From: Ann <ann@example.com>',
  'To: bob@dest.test',
  'Subject: a  folded',
  '\tsubject',
  'Date: Sat, 21 Nov 2026 10:00:00 +0000',
  '',
  'Hello  there ',
  '',
  'bye',
  '',
].join('\r\n');

interface Ask {
  readonly zone?: Zone;
  readonly extraDomains?: readonly string[];
}

function verify(mail: Buffer | string | Body, { zone = { txt }, extraDomains = [] }: Ask = {}) {
  const body = typeof mail === 'string' || Buffer.isBuffer(mail) ? memoryBody(Buffer.from(mail)) : mail;
  return verifyDkim(body, fakeDeps({ dns: fakeDns(zone) }), { extraDomains });
}

async function only(mail: Buffer | string | Body, ask?: Ask): Promise<DkimSignature> {
  const { signatures } = await verify(mail, ask);
  expect(signatures).toHaveLength(1);
  return signatures[0] as DkimSignature;
}

/** The signed message with its signature field changed. */
async function tampered(change: (text: string) => string, key: TestKey = rsa, ask?: SignAsk): Promise<string> {
  return change((await signedBy(key, message, ask)).toString('latin1'));
}

/** A signature with whatever tags: for what no signer would write. */
async function signatureOver(body: Body, tags: string, headers: readonly string[] = DEFAULT_HEADERS): Promise<string> {
  const read = await readSigned(body, () => ({ planned: undefined, hashes: [{ canonicalization: 'relaxed' }] }));
  if (read === undefined) throw new Error('no header');
  const sign = async (dataOf: (algorithm: 'rsa-sha256') => Buffer): Promise<Buffer> =>
    signBytes('sha256', dataOf('rsa-sha256'), rsa.privateKey);
  const party = { domain: `example.com;${tags}`, selector: 's1', key: { sign } as unknown as SigningKey };
  const canonicalization = { header: 'relaxed', body: 'relaxed' } as const;
  const signer = new DkimSigner({ canonicalization, headers: headerChoice(headers, []) }, [party]);
  return signer.fields(read, [party], Date.UTC(2026, 0, 1));
}

async function handMade(tags: string, mail = message): Promise<Buffer> {
  const field = await signatureOver(memoryBody(Buffer.from(mail)), tags);
  return Buffer.concat([Buffer.from(field, 'latin1'), Buffer.from(mail)]);
}

describe('a signature', () => {
  it.each(['relaxed/relaxed', 'relaxed/simple', 'simple/relaxed', 'simple/simple'])(
    'passes with %s',
    async (canonicalization) => {
      const found = await only(await signedBy(rsa, message, { canonicalization }));
      expect(found).toMatchObject({
        status: 'dkim_pass',
        result: 'pass',
        domain: 'example.com',
        selector: 's1',
        algorithm: 'rsa-sha256',
        alignment: 'domain',
        keyBits: 2048,
        timestamp: Date.UTC(2026, 0, 1) / 1000,
      });
      expect(found.headers).toContain('from');
      expect(found.tags).toMatchObject({ v: '1', a: 'rsa-sha256', c: canonicalization, s: 's1' });
      expect(Object.keys(found.tags)).not.toContain('bh');
    },
  );

  it('passes with an ed25519 key', async () => {
    const found = await only(await signedBy(ed25519, message, { algorithm: 'ed25519-sha256' }));
    expect(found).toMatchObject({ status: 'dkim_pass', algorithm: 'ed25519-sha256', keyBits: 256 });
  });

  it('passes when the message was read from a file with bare line feeds', async () => {
    const text = (await signedBy(rsa, message)).toString().replaceAll('\r\n', '\n');
    expect((await only(text)).status).toBe('dkim_pass');
  });

  it.each([
    ['8-bit bytes', Buffer.from('From: a@example.com\r\nSubject: gr\xfc\xdfe\r\n\r\n\xe4\xf6\r\n', 'latin1')],
    ['internationalised fields', 'From: Änn <änn@example.com>\r\nSubject: 件名\r\n\r\nhej\r\n'],
    ['no body', 'From: a@example.com\r\n\r\n'],
    ['a body of line ends', `From: a@example.com\r\n\r\n${'\r\n'.repeat(1000)}`],
    ['no last line end', 'From: a@example.com\r\n\r\nend'],
  ])('passes over %s', async (_, mail) => {
    for (const canonicalization of ['relaxed/relaxed', 'simple/simple']) {
      expect((await only(await signedBy(rsa, mail, { canonicalization }))).status).toBe('dkim_pass');
    }
  });

  it('of our own signer passes over a field whose last letter ends in the byte A0', async () => {
    expect((await only(await handMade('', 'From: a@example.com\r\nSubject: voilà\r\n\r\nhi\r\n'))).status).toBe(
      'dkim_pass',
    );
  });

  it('passes with an apostrophe in its agent', async () => {
    const found = await only(await handMade(" i=o'brien@mail.example.com"));
    expect(found).toMatchObject({ status: 'dkim_pass', identity: "o'brien@mail.example.com" });
  });

  it('whatever the body is made of and however it is cut into chunks', async () => {
    const piece = fc.constantFrom('\r\n', ' ', '\t', 'a', '.', ' \r\n', '\r\n\r\n');
    await fc.assert(
      fc.asyncProperty(fc.array(piece), fc.integer({ min: 1, max: 9 }), async (pieces, size) => {
        const signed = await signedBy(ed25519, `From: a@example.com\r\n\r\n${pieces.join('')}\r\n`, {
          algorithm: 'ed25519-sha256',
        });
        expect((await only(chunked(signed, size))).status).toBe('dkim_pass');
      }),
      { numRuns: 60 },
    );
  });

  it('whether its line ends were looked at before or not, and in one piece of memory or several', async () => {
    const piece = fc.constantFrom('\r\n', ' ', '\t', 'a', ' \r\n', '\r\n\r\n');
    const content = fc.tuple(fc.array(piece), fc.nat(), fc.constantFrom('simple', 'relaxed'));
    await fc.assert(
      fc.asyncProperty(content, async ([pieces, cut, canonicalization]) => {
        const signed = await signedBy(ed25519, `From: a@example.com\r\n\r\n${pieces.join('')}\r\n`, {
          algorithm: 'ed25519-sha256',
          canonicalization: `relaxed/${canonicalization}`,
        });
        const at = cut % signed.length;
        const inTwo = [signed.subarray(0, at), signed.subarray(at)];
        const forms = [true, false].flatMap((hasOnlyCrlf) => [
          memoryBody(signed, hasOnlyCrlf),
          new HeldBody({ pieces: inTwo, hasOnlyCrlf, onGone: () => undefined }),
          prefixedBody(Buffer.from('Received: by us\r\n'), writtenOver(inTwo, hasOnlyCrlf)),
          prefixedBody(Buffer.from('Received: by us\r\n'), writtenOver([signed], hasOnlyCrlf)),
        ]);
        for (const form of forms) expect((await only(form)).status).toBe('dkim_pass');
      }),
      { numRuns: 60 },
    );
  });
});

/** A body whose memory belongs to the next message as soon as it is given back. */
function writtenOver(bytes: readonly Buffer[], hasOnlyCrlf: boolean): Body {
  return {
    ...memoryBody(Buffer.concat(bytes), hasOnlyCrlf),
    lend: () => {
      const pieces = bytes.map((piece) => Buffer.from(piece));
      return { pieces, giveBack: () => pieces.forEach((piece) => void piece.fill('!')) };
    },
  };
}

it('nothing is kept of memory that was lent', async () => {
  const mail = Buffer.from('From: a@example.com\r\nTo: b@dest.test\r\n\r\nhello\r\n');
  const read = await readSigned(writtenOver([mail], true), () => ({ planned: undefined, hashes: [] }));
  expect(read?.headerBlock.toString()).toBe('From: a@example.com\r\nTo: b@dest.test\r\n');
  expect(read?.fields.map(({ raw }) => raw)).toEqual(['From: a@example.com', 'To: b@dest.test']);
});

describe('the example of RFC 8463', () => {
  const mail = `DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
`.replaceAll('\n', '\r\n');

  const keys = {
    'brisbane._domainkey.football.example.com': ['v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='],
    'test._domainkey.football.example.com': [
      'v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB',
    ],
  };

  it('passes twice', async () => {
    const { signatures } = await verify(mail, { zone: { txt: keys } });
    expect(signatures.map(({ selector, status }) => `${selector} ${status}`)).toEqual([
      'brisbane dkim_pass',
      'test dkim_pass',
    ]);
  });
});

describe('a signature fails', () => {
  it.each([
    ['the body was changed', (text: string) => text.replace('bye', 'buy'), 'the body was changed'],
    ['a signed field was changed', (text: string) => text.replace('a  folded', 'b folded'), 'bad signature'],
    ['the signature was changed', (text: string) => text.replace(/ b=../, ' b=AA'), 'bad signature'],
    ['From was replaced', (text: string) => text.replace('ann@example.com', 'eve@example.com'), 'bad signature'],
  ])('when %s', async (_, change, comment) => {
    expect(await only(await tampered(change))).toMatchObject({ status: 'fail', result: 'fail', comment });
  });

  it.each([
    ['From is not signed', () => signedBy(rsa, message, { headerList: 'To:Subject' }), 'From is not signed'],
    [
      'it has expired',
      () => signedBy(rsa, message, { expiresMs: Date.UTC(2025, 11, 31), signTimeMs: 1e12 }),
      'the signature has expired',
    ],
    ['its version is unknown', () => tampered((text) => text.replace('v=1', 'v=2')), 'unknown version'],
    ['it lacks a tag', () => tampered((text) => text.replace(/ s=s1;/, '')), 'no s='],
    ['a tag is there twice', () => handMade(' d=evil.test'), 'the field is malformed'],
    ['its agent is somebody else’s', () => handMade(' i=@evil.test'), 'the agent is not in the signing domain'],
    ['it signs more than there is', () => handMade(' l=100000'), 'more of the body is signed than there is'],
  ])('for good when %s', async (_, mail, comment) => {
    expect(await only(await mail())).toMatchObject({ status: 'fail', result: 'permerror', comment });
  });

  it('when something was put behind the part of the body that is signed', async () => {
    const bytes = Buffer.byteLength('Hello there\r\n\r\nbye\r\n');
    const signed = await handMade(` l=${bytes}`);
    expect((await only(signed)).status).toBe('dkim_pass');
    const found = await only(Buffer.concat([signed, Buffer.from('<h1>buy</h1>\r\n')]));
    expect(found).toMatchObject({ status: 'fail', result: 'policy', comment: '14 bytes of the body are not signed' });
  });

  it('as unknown algorithm with rsa-sha1, however right it is', async () => {
    const found = await only(await signedBy(rsa, message, { algorithm: 'rsa-sha1' }));
    expect(found).toMatchObject({ status: 'unknown_algo', result: 'neutral' });
  });
});

describe('a key', () => {
  const short = testKey('example.com', 'short', 'rsa', 1024);
  const tooShort = { ...testKey('example.com', 'weak'), ...weakKey() };

  function weakKey(): Pick<TestKey, 'privateKey' | 'text'> {
    const { privateKey, text } = testKey('example.com', 'weak', 'rsa', 768);
    return { privateKey, text };
  }

  const record = (text: string): Ask => ({ zone: { txt: { [rsa.name]: [text] } } });
  const data = rsa.text.slice(rsa.text.indexOf('p='));

  it.each([
    ['is missing', { zone: {} }, 'no key'],
    ['was revoked', record('v=DKIM1; p='), 'the key was revoked'],
    ['is garbage', record('v=DKIM1; p=AAAA'), 'the key is not valid'],
    ['is not base64', record('v=DKIM1; p=!!!'), 'the key is not valid'],
    ['is for something else', record(`v=DKIM1; s=tlsrpt; ${data}`), 'the key is not for mail'],
    ['is for another hash', record(`v=DKIM1; h=sha1; ${data}`), 'the key is not for sha256'],
    ['is of another kind', record(`v=DKIM1; k=ed25519; ${data}`), 'the key is not for rsa'],
    ['has another version', record(`v=DKIM2; ${data}`), 'no key'],
    [
      'is ambiguous',
      { zone: { txt: { [rsa.name]: [rsa.text, `v=DKIM1; ${data}; n=2`] } } },
      'several keys under one name',
    ],
  ])('that %s makes the signature fail for good', async (_, ask: Ask, comment) => {
    const found = await only(await signedBy(rsa, message), ask);
    expect(found).toMatchObject({ status: 'fail', result: 'permerror', comment });
  });

  it.each([
    ['white space in it', `v=DKIM1 ; k=rsa;\t p= ${data.slice(2, 90)} ${data.slice(90)} ;`],
    ['nothing but p=', data],
    ['flags', `v=DKIM1; t=y:s; s=*; h=sha1:sha256; ${data}`],
  ])('is good with %s', async (_, text) => {
    expect((await only(await signedBy(rsa, message), record(text))).status).toBe('dkim_pass');
  });

  it('for its own domain alone is no good for an agent below it', async () => {
    const found = await only(await handMade(' i=a@mail.example.com'), record(`v=DKIM1; t=s; ${data}`));
    expect(found).toMatchObject({ status: 'fail', comment: 'the key is not for agents below its domain' });
  });

  it('is good from 1024 bits', async () => {
    const zone = { txt: published(short, tooShort) };
    expect((await only(await signedBy(short, message), { zone })).status).toBe('dkim_pass');
    const weak = await only(await signedBy(tooShort, message), { zone });
    expect(weak).toMatchObject({ status: 'fail', result: 'policy', keyBits: 768 });
  });

  it('that DNS cannot find for the moment is no verdict', async () => {
    const found = await only(await signedBy(rsa, message), { zone: { failing: [rsa.name] } });
    expect(found).toMatchObject({ status: 'temp_err', result: 'temperror' });
  });

  it('that DNS is slow to find is no verdict after 20 seconds, or as soon as nobody waits', async () => {
    const clock = new FakeClock();
    const dns = { ...fakeDns(), txt: () => new Promise<never>(() => undefined) };
    const signed = memoryBody(await signedBy(rsa, message));
    const slow = verifyDkim(signed, { clock, dns });
    const closing = new AbortController();
    const closed = verifyDkim(signed, { clock, dns }, { signal: closing.signal });
    closing.abort();
    expect((await closed).signatures[0]?.status).toBe('temp_err');
    await clock.advance(20_000);
    expect((await slow).signatures[0]?.status).toBe('temp_err');
    expect(clock.sleeping).toBe(0);
  });
});

describe('alignment', () => {
  it.each([
    ['the author’s domain', 'ann@example.com', [], 'domain'],
    ['a domain above the author’s', 'ann@mail.example.com', [], 'same_sld'],
    ['another organisation', 'ann@example.org', [], 'other'],
    ['a neighbour under a public suffix', 'ann@example.com.evil.test', [], 'other'],
    ['a domain of the configuration', 'ann@elsewhere.test', ['Example.COM'], 'domain'],
    ['a domain near one of the configuration', 'ann@elsewhere.test', ['mail.example.com'], 'same_sld'],
    ['only one of two authors', 'ann@example.com, eve@evil.test', [], 'other'],
    ['nobody that can be read', 'ann@', [], 'other'],
  ])('with %s', async (_, from, extraDomains, alignment) => {
    const mail = await signedBy(rsa, `From: ${from}\r\n\r\nhi\r\n`);
    expect(await only(mail, { extraDomains })).toMatchObject({ status: 'dkim_pass', alignment });
  });

  it('is the same for a name in letters and in ASCII', async () => {
    const key = testKey('xn--bcher-kva.example');
    const mail = await signedBy(key, 'From: a@bücher.example\r\n\r\nhi\r\n');
    expect(await only(mail, { zone: { txt: published(key) } })).toMatchObject({
      status: 'dkim_pass',
      domain: 'xn--bcher-kva.example',
      alignment: 'domain',
    });
  });
});

describe('several signatures', () => {
  it('are each judged, in header order, with one question for each key', async () => {
    const dns = fakeDns({ txt });
    const mail = await signedBy(other, await signedBy(rsa, await signedBy(rsa, message)));
    const { signatures } = await verifyDkim(memoryBody(mail), fakeDeps({ dns }));
    expect(signatures.map(({ domain, status }) => `${domain} ${status}`)).toEqual([
      'lists.test dkim_pass',
      'example.com dkim_pass',
      'example.com dkim_pass',
    ]);
    expect(dns.calls).toEqual([`TXT ${other.name}`, `TXT ${rsa.name}`]);
  });

  it('are judged up to a limit, and the rest is counted', async () => {
    const field = (await signedBy(rsa, message)).toString().split('\r\nFrom:')[0];
    const { signatures, uncheckedCount } = await verify(`${`${field}\r\n`.repeat(25)}${message}`);
    expect([signatures.length, uncheckedCount]).toEqual([10, 15]);
  });
});

describe('whatever bytes come', () => {
  it('there is an answer', async () => {
    const piece = fc.constantFrom(
      'DKIM-Signature:',
      ' v=1; a=rsa-sha256; d=example.com; s=s1; h=from; bh=AA==; b=AA==',
      'b=',
      ';',
      '=',
      '\r\n',
      '\n',
      '\r',
      ' ',
      'From: a@example.com',
      ':',
      '\u0000',
      'é',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), async (pieces) => {
        const { signatures } = await verify(pieces.join(''));
        expect(signatures.every(({ status }) => status !== 'dkim_pass')).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('a header that nobody reads to its end counts as not signed', async () => {
    const mail = `X: ${'y\r\n '.repeat(400_000)}\r\n${(await signedBy(rsa, message)).toString()}`;
    expect((await verify(mail)).signatures).toEqual([]);
  });

  it('folding without end takes no time to speak of', async () => {
    const mail = `${(await signedBy(rsa, message)).toString().replace('\r\n\r\n', `\r\nX: y\r\n${' \r\n'.repeat(200_000)} z\r\n\r\n`)}`;
    expect((await only(mail)).status).toBe('dkim_pass');
  });
});

describe('a large message', () => {
  it('is verified in one pass, and no piece of it is kept', async () => {
    const head = Buffer.from('From: a@example.com\r\n\r\n');
    const pieces = 800;
    const piece = Buffer.alloc(65_536);
    let passes = 0;
    const body: Body = {
      size: head.length + pieces * piece.length,
      retain: () => () => undefined,
      async *chunks() {
        passes += 1;
        yield Buffer.from(head);
        // The same memory for every piece: who held on to one would hash something else.
        for (let i = 0; i < pieces; i += 1) {
          piece.fill(`${i} ${'x '.repeat(30)}\r\n`);
          yield piece;
          piece.fill(0);
        }
      },
    };
    const field = await signatureOver(body, '');
    passes = 0;
    expect((await only(prefixedBody(Buffer.from(field, 'latin1'), body))).status).toBe('dkim_pass');
    expect(passes).toBe(1);
  });
});

function chunked(bytes: Buffer, size: number): Body {
  return {
    size: bytes.length,
    retain: () => () => undefined,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    },
  };
}
