/** What is written into the header about a sender, and what strangers wrote there in our name and is taken away. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutClaims } from '../../src/lib/auth/results/claims.ts';
import { type MethodResult, resultsField } from '../../src/lib/auth/results/results-field.ts';
import { type Body, bodyBytes } from '../../src/lib/core/body.ts';
import { findParam } from '../../src/lib/core/mailbox.ts';
import { chainOf, mistakesOf, type OpenedChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns, type Zone } from '../helpers/fake-deps.ts';
import { published, signedBy, testKey } from '../helpers/signed-mail.ts';

const own = { filter: 'authentication_results', authserv_id: 'mx.example.com' };
const key = testKey('bank.test');
const zone: Zone = {
  ptr: { '192.0.2.1': ['mx.bank.test.'] },
  addresses: { 'mx.bank.test': ['192.0.2.1'] },
  txt: {
    ...published(key),
    'bank.test': ['v=spf1 ip4:192.0.2.1 -all'],
    '_dmarc.bank.test': ['v=DMARC1; p=reject; t=y'],
  },
};

function open(steps: readonly StepYaml[]): OpenedChain {
  return chainOf({
    steps,
    deps: { dns: fakeDns(zone) },
    origin: {
      remoteHost: { host: '192.0.2.1', port: 1 },
      smtpMeta: { ehloHost: 'mx.bank.test', esmtp: true, tls: false, auth: false },
    },
  })();
}

/** What reaches the output, as text. */
async function pass(message: string | Buffer, steps: readonly StepYaml[] = [own], from = 'a@bank.test', utf8 = false) {
  const chain = open(steps);
  await chain.mail(from, ...(utf8 ? [{ keyword: 'SMTPUTF8' }] : []));
  await chain.rcpt('bob@example.com');
  expect(await chain.data(message.toString())).toBe('250 2.0.0 ok');
  if (utf8) expect(findParam(chain.reached.mail[0] ?? { address: '', params: [] }, 'smtputf8')).toBeDefined();
  return chain.reached.data[0]?.toString() ?? '';
}

const message = 'From: a@bank.test\r\nSubject: x\r\n\r\nbody\r\n';
const none = 'Authentication-Results: mx.example.com;\r\n\tnone\r\n';

describe('what is written', () => {
  it('is every check that was made', async () => {
    const checks = ['remote_host', 'spf_check', 'dkim_check', 'dmarc_check', 'arc_check'].map((filter) => ({ filter }));
    const signed = (await signedBy(key, message)).toString();
    const found = await pass(signed, [...checks, own]);
    expect(found.endsWith(signed)).toBe(true);
    expect(found.slice(0, -signed.length).replace(/header\.b=\S+;/, 'header.b=…;')).toBe(
      [
        'Authentication-Results: mx.example.com;',
        '\tiprev=pass (mx.bank.test) policy.iprev=192.0.2.1;',
        '\tspf=pass smtp.mailfrom=a@bank.test;',
        '\tdkim=pass (2048-bit key) header.d=bank.test header.s=s1',
        '\t header.a=rsa-sha256 header.b=…;',
        '\tdmarc=pass (p=reject, testing) header.from=bank.test;',
        '\tarc=none',
        '',
      ].join('\r\n'),
    );
  });

  it('is none when no check was made', async () => {
    expect(await pass(message)).toBe(none + message);
  });

  it('says why something failed', async () => {
    const found = await pass(
      'From: x@bank.test\r\n\r\nhi\r\n',
      [{ filter: 'spf_check' }, { filter: 'dkim_check' }, { filter: 'dmarc_check' }, own],
      '',
    );
    expect(found).toContain('\tspf=none (the domain says nothing) smtp.helo=mx.bank.test;\r\n');
    expect(found).toContain('\tdkim=none (not signed);\r\n');
    expect(found.replaceAll(/\r\n\t? ?/g, ' ')).toContain(
      'dmarc=fail (p=reject, testing, nothing vouches for the author) header.from=bank.test',
    );
  });

  it('names an address in letters only where the message may hold them', async () => {
    const steps = [{ filter: 'spf_check' }, own];
    expect(await pass(message, steps, 'änn@bücher.example', true)).toContain(
      'smtp.mailfrom="änn@xn--bcher-kva.example"',
    );
    const ascii = await pass(message, steps, 'änn@bücher.example');
    expect(ascii.replace(message, '')).toMatch(/^[\x00-\x7f]*$/);
    expect(ascii).toContain('spf=none');
  });

  it('cannot be ended by anything that a stranger said', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', '"', '\\', '(', ')', ';', '=', ' ', '\r', '\n', '\u0000', 'é', '😀', '@', '/'),
    });
    fc.assert(
      fc.property(text, text, fc.boolean(), (value, comment, utf8) => {
        const results: MethodResult[] = [
          { method: 'spf', result: 'fail', comment, properties: { 'smtp.mailfrom': value } },
        ];
        const field = resultsField('mx.example.com', results, utf8);
        expect(field.endsWith('\r\n')).toBe(true);
        const lines = field.slice(0, -2).split('\r\n');
        expect(lines.slice(1).every((line) => line.startsWith('\t') && !/[\r\n\u0000]/.test(line))).toBe(true);
        if (!utf8) expect(field).toMatch(/^[\x00-\x7f]*$/);
        // Without quoted strings and comments nothing is left but the one clause.
        const bare = field.replace(/"(?:[^"\\]|\\.)*"/g, 'q').replace(/\([^()]*\)/g, '');
        expect(bare.replace(/[\r\n\t ]+/g, ' ')).toMatch(
          /^Authentication-Results: mx\.example\.com; spf=fail( smtp\.mailfrom=[^;"()]+)? $/,
        );
      }),
    );
  });
});

describe('what others wrote in our name', () => {
  it.each([
    ['plainly', 'Authentication-Results: mx.example.com; dmarc=pass'],
    ['in capitals', 'AUTHENTICATION-RESULTS: MX.EXAMPLE.COM; dmarc=pass'],
    ['without a space', 'Authentication-Results:mx.example.com;dmarc=pass'],
    ['with a space before the colon', 'Authentication-Results \t : mx.example.com; dmarc=pass'],
    ['with a version', 'Authentication-Results: mx.example.com 1; dmarc=pass'],
    ['with an old version', 'Authentication-Results: mx.example.com/2; dmarc=pass'],
    ['behind a comment', 'Authentication-Results: (hi) mx.example.com; dmarc=pass'],
    ['behind nested comments', 'Authentication-Results: (a(b\\)c)) mx.example.com (d); dmarc=pass'],
    ['in quotes', 'Authentication-Results: "mx.example\\.com"; dmarc=pass'],
    ['folded', 'Authentication-Results:\r\n (x)\r\n\tmx.example.com;\r\n dmarc=pass'],
    ['with the dot of the root', 'Authentication-Results: mx.example.com.; dmarc=pass'],
    ['saying nothing', 'Authentication-Results: mx.example.com'],
    ['unreadably', 'Authentication-Results: (((mx.example.com; dmarc=pass'],
    ['encoded', 'Authentication-Results: =?utf-8?q?mx.example.com?=; dmarc=pass'],
  ])('%s is taken away', async (_, field) => {
    const forged = `Received: from x\r\n${field}\r\nFrom: a@bank.test\r\n${field}\r\n\r\n${field}\r\n`;
    expect(await pass(forged)).toBe(`${none}Received: from x\r\nFrom: a@bank.test\r\n\r\n${field}\r\n`);
  });

  it.each([
    ['another service', 'Authentication-Results: mx.example.org; dmarc=pass header.from=mx.example.com'],
    ['a service below ours', 'Authentication-Results: a.mx.example.com; dmarc=pass'],
    ['a service whose name begins with ours', 'Authentication-Results: mx.example.com.evil.test; dmarc=pass'],
    ['another field', 'X-Authentication-Results: mx.example.com; dmarc=pass'],
    ['what a hop sealed', 'ARC-Authentication-Results: i=1; mx.example.com; dmarc=pass'],
    ['a comment about us', 'Authentication-Results: mx.example.org (mx.example.com); dmarc=pass'],
  ])('is not %s', async (_, field) => {
    const kept = `${field}\r\n${message}`;
    expect(await pass(kept)).toBe(none + kept);
  });

  it('goes from behind a lone CR too, which is a line end to whoever gets the message', async () => {
    const claim = 'Authentication-Results: mx.example.com;\r dmarc=pass';
    expect(await pass(`X: y\r${claim}\rSubject: z\r\n${message}`)).toBe(`${none}X: y\rSubject: z\r\n${message}`);
  });

  it('is recognised in either spelling of an internationalised name', async () => {
    const steps = [{ filter: 'authentication_results', authserv_id: 'bücher.example' }];
    const field = 'Authentication-Results: xn--bcher-kva.example;\r\n\tnone\r\n';
    for (const id of ['BÜCHER.example', 'xn--bcher-kva.example', 'bu\u0308cher.example']) {
      expect(await pass(`Authentication-Results: ${id}; dmarc=pass\r\n${message}`, steps)).toBe(field + message);
    }
  });

  it('goes, and every other byte of the header stays', () => {
    const piece = fc.constantFrom(
      'Authentication-Results: other.test; spf=pass\r\n',
      'Subject: x\n',
      'garbage\r\n',
      ' folded\r\n',
      ': \u0000\r\n',
      '\u00ff: \u0080\r\n',
      'A: b',
    );
    const claim = 'Authentication-Results: mx.example.com; spf=pass\r\n\tdkim=pass\r\n';
    fc.assert(
      fc.property(fc.array(piece), fc.array(piece), (before, after) => {
        const [first, last] = [`X: y\r\n${before.join('')}\r\nX: z\r\n`, `Y: z\r\n${after.join('')}`];
        const found = withoutClaims(Buffer.from(first + claim + last, 'latin1'), 'mx.example.com');
        expect(found.toString('latin1')).toBe(first + last);
      }),
    );
  });
});

describe('a large message', () => {
  it('is streamed with its new header, and read by the next step as often as it likes', async () => {
    const head = Buffer.from('Authentication-Results: mx.example.com; dmarc=pass\r\nFrom: a@bank.test\r\n\r\n');
    const piece = Buffer.alloc(65_536, 'x');
    let passes = 0;
    let read = 0;
    const body: Body = {
      size: head.length + 160 * piece.length,
      retain: () => () => undefined,
      async *chunks() {
        passes += 1;
        for (const chunk of [head.subarray(0, 60), head.subarray(60), ...Array.from({ length: 160 }, () => piece)]) {
          read += chunk.length;
          yield chunk;
        }
      },
    };
    let got: Body | undefined;
    const { authenticationResults } = await import('../../src/lib/filters/authentication-results.ts');
    const chain = open([own]);
    await chain.mail('a@bank.test');
    await chain.rcpt('bob@example.com');
    const filter = authenticationResults.create({ authserv_id: 'mx.example.com' }, {} as never)();
    await filter.data?.(chain.tx, body, async (value) => {
      got = value;
      return { code: 250, text: 'ok' } as never;
    });
    // The header was enough.
    expect(read).toBe(head.length);
    const expected = `${none}From: a@bank.test\r\n\r\n`;
    for (let i = 0; i < 2; i += 1) {
      const bytes = await bodyBytes(got as Body);
      expect(bytes.length).toBe(got?.size);
      expect(bytes.toString('latin1', 0, expected.length)).toBe(expected);
      expect(bytes.subarray(expected.length).every((byte) => byte === 0x78)).toBe(true);
    }
    expect(passes).toBe(3);
  });

  it('is refused when its header is larger than anybody reads', async () => {
    const chain = open([own]);
    await chain.mail('a@bank.test');
    await chain.rcpt('bob@example.com');
    const header = `X: ${'y\r\n '.repeat(400_000)}\r\nAuthentication-Results: mx.example.com; dmarc=pass\r\n`;
    expect(await chain.data(`${header}\r\nhi\r\n`)).toBe('554 5.3.4 the header is too large to be checked');
    expect(chain.reached.data).toEqual([]);
  });
});

describe('authserv_id', () => {
  it('is required, and is a name', () => {
    const missing = mistakesOf({ steps: [{ filter: 'authentication_results' }] });
    expect(missing[0]?.message).toContain('authserv_id');
    const wrong = mistakesOf({ steps: [{ filter: 'authentication_results', authserv_id: 'a b; dmarc=pass' }] });
    expect(wrong[0]?.message).toContain('expected the name of this service');
  });
});
