import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { responseFromText } from '../../src/lib/core/response.ts';
import { buildDsn } from '../../src/lib/message/dsn.ts';
import type { DsnAsk } from '../../src/lib/message/dsn-ask.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';
import { header, type MimeNode, readHeaders, readMime, shape } from './mime-reader.ts';

const HEADER = 'From: alice@a.test\r\nMessage-ID: <one@a.test>\r\nSubject: hi\r\n';

function ask(more: Partial<DsnAsk> = {}, original: Partial<DsnAsk['original']> = {}): DsnAsk {
  return {
    action: 'failed',
    reportingDomain: 'mx.a.test',
    from: 'mailer-daemon@a.test',
    to: 'alice@a.test',
    original: {
      rcpt: 'bob@b.test',
      arrivalAt: Date.UTC(2025, 11, 31, 23),
      headerBlock: Buffer.from(HEADER),
      ...original,
    },
    response: responseFromText(550, '5.1.1 no such user'),
    lastAttemptAt: Date.UTC(2025, 11, 31, 23, 30),
    ...more,
  };
}

function read(given: DsnAsk): {
  node: MimeNode;
  bytes: Buffer;
  text: string;
  message: Fields;
  rcpt: Fields;
  quoted: Buffer;
} {
  const bytes = buildDsn(given, fakeDeps());
  const node = readMime(bytes);
  const [text, status, quoted] = node.children as [MimeNode, MimeNode, MimeNode | undefined];
  expect(quoted === undefined).toBe(given.original.headerBlock.length === 0);
  expect(text.content.toString().includes('header is attached')).toBe(quoted !== undefined);
  const [message = '', rcpt = ''] = status.content.toString('latin1').split('\r\n\r\n');
  return {
    node,
    bytes,
    text: text.content.toString(),
    message: Object.fromEntries(readHeaders(`${message}\r\n`)),
    rcpt: Object.fromEntries(readHeaders(rcpt)),
    quoted: quoted?.content ?? Buffer.alloc(0),
  };
}

type Fields = Readonly<Record<string, string>>;

function readWhole(given: DsnAsk): { node: MimeNode } {
  return { node: readMime(buildDsn(given, fakeDeps())) };
}

describe('a delivery status notification', () => {
  it('asks about a message that may have been delivered, and does not say that it will be tried again', () => {
    const response = responseFromText(450, '4.4.2 cut off after the final dot');
    const { text, rcpt } = read(ask({ action: 'delayed', isUncertain: true, response }));
    expect(text).toContain('may or may not have been delivered');
    expect(text).toContain('Please ask the recipient');
    expect(text).not.toContain('will be tried again');
    expect(rcpt).toMatchObject({ Action: 'delayed', Status: '4.4.2' });
    expect(rcpt).not.toHaveProperty('Will-Retry-Until');
  });

  it('is a report as RFC 3464 wants it', () => {
    const { node, message, rcpt, quoted } = read(ask({ remoteMta: 'mx.b.test' }, { envelopeId: 'QQ314159' }));
    expect(shape(node)).toBe('report(text/plain,message/delivery-status,text/rfc822-headers)');
    expect(node.params['report-type']).toBe('delivery-status');
    expect(node.headers.map(([name, value]) => [name, value.replace(/boundary=.*/, '')])).toEqual([
      ['From', 'Mail Delivery Subsystem <mailer-daemon@a.test>'],
      ['To', 'alice@a.test'],
      ['Date', 'Thu, 01 Jan 2026 00:00:00 +0000'],
      ['Message-ID', expect.stringMatching(/^<[0-9a-f]{32}@mx\.a\.test>$/)],
      ['Subject', 'Delivery Status Notification (failure)'],
      ['In-Reply-To', '<one@a.test>'],
      ['References', '<one@a.test>'],
      ['Auto-Submitted', 'auto-replied'],
      ['MIME-Version', '1.0'],
      ['Content-Type', 'multipart/report; report-type=delivery-status; '],
    ]);
    expect(message).toEqual({
      'Original-Envelope-Id': 'QQ314159',
      'Reporting-MTA': 'dns; mx.a.test',
      'Arrival-Date': 'Wed, 31 Dec 2025 23:00:00 +0000',
    });
    expect(rcpt).toEqual({
      'Final-Recipient': 'rfc822; bob@b.test',
      Action: 'failed',
      Status: '5.1.1',
      'Remote-MTA': 'dns; mx.b.test',
      'Diagnostic-Code': 'smtp; 550 5.1.1 no such user',
      'Last-Attempt-Date': 'Wed, 31 Dec 2025 23:30:00 +0000',
    });
    expect(quoted.toString()).toBe(HEADER);
  });

  it('tells people what happened, to whom, and in whose words', () => {
    const { text } = read(
      ask({ remoteMta: 'mx.b.test', response: responseFromText(550, '5.1.1 no such\n5.1.1 user') }),
    );
    expect(text).toContain('could not be delivered');
    expect(text).toContain('    bob@b.test');
    expect(text).toContain('The answer of mx.b.test was:');
    expect(text).toContain('    550 5.1.1 no such\r\n    550 5.1.1 user');
  });

  it.each([
    ['failed', 450, 'try later', '4.0.0', 'will not be tried again'],
    ['failed', 550, '4.2.2 contradicts itself', '5.0.0', 'will not be tried again'],
    ['delayed', 451, '4.7.1 greylisted', '4.7.1', 'will be tried again until Tue, 06 Jan 2026'],
    ['delivered', 250, '2.0.0 ok', '2.0.0', 'was delivered'],
    ['relayed', 250, '2.0.0 queued', '2.0.0', 'does not report deliveries'],
    ['expanded', 250, 'ok', '2.0.0', 'everybody behind this address'],
  ] as const)('of kind %s for %i "%s" has the status %s', (action, code, reply, status, sentence) => {
    const retryUntil = Date.UTC(2026, 0, 6);
    const given = ask({ action, response: responseFromText(code, reply), ...(action === 'delayed' && { retryUntil }) });
    const { rcpt, text } = read(given);
    expect([rcpt.Action, rcpt.Status]).toEqual([action, status]);
    expect(text).toContain(sentence);
  });

  it('is of the internationalised kind when an address needs it, and still passes everywhere (RFC 6533)', () => {
    const { node, rcpt, text, bytes } = read(ask({}, { rcpt: 'jörg+x@bücher.test' }));
    expect(shape(node)).toBe('report(text/plain,message/global-delivery-status,message/global-headers)');
    expect(node.params['report-type']).toBe('global-delivery-status');
    expect(rcpt['Final-Recipient']).toBe('utf-8; jörg+x@bücher.test');
    expect(text).toContain('jörg+x@bücher.test');
    expect(bytes.every((byte) => byte < 128)).toBe(true);
  });

  it.each([
    ['jürgen@bücher.test', 'jürgen@bücher.test', true],
    ['alice@bücher.test', 'alice@xn--bcher-kva.test', false],
  ])('to %s is addressed to %s', (to, written, isWide) => {
    const { node, bytes } = read(ask({ to }));
    expect(header(node, 'to')).toBe(written);
    expect(bytes.some((byte) => byte > 127)).toBe(isWide);
  });

  it('names the recipient and the message as the sender did', () => {
    const said = { type: 'rfc822', address: 'Robert@b.test' };
    const { rcpt, message, text } = read(ask({}, { originalRecipient: said, envelopeId: 'a b+c' }));
    expect(rcpt['Original-Recipient']).toBe('rfc822; Robert@b.test');
    expect(message['Original-Envelope-Id']).toBe('a b+c');
    expect(text).toContain('(you wrote to Robert@b.test)');
    expect(text).toContain('Its envelope id is a b+c.');
  });

  it.each([
    ['in ASCII', 'bob@b.test', 'body', 'message/rfc822', undefined],
    ['with 8-bit text', 'bob@b.test', 'bödy', 'message/rfc822', '8bit'],
    ['with 8-bit text, to an internationalised address', 'böb@b.test', 'bödy', 'message/global', 'quoted-printable'],
  ])('returns a whole message %s', (_, rcpt, body, type, encoding) => {
    const message = Buffer.from(`${HEADER}\n${body}\n`);
    const { node } = readWhole(ask({}, { rcpt, message }));
    const returned = node.children[2] as MimeNode;
    expect(returned.type).toBe(type);
    expect(header(returned, 'content-transfer-encoding')).toBe(encoding);
    expect(returned.content.toString()).toBe(`${HEADER}\r\n${body}\r\n`);
    expect((node.children[0] as MimeNode).content.toString()).toContain('All of it is attached.');
  });

  it('quotes a header of any bytes, byte for byte, in seven bits', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        const line = Buffer.from(noise.filter((byte) => byte !== 10 && byte !== 13));
        const headerBlock = Buffer.concat([Buffer.from('Subject: '), line, Buffer.from('\r\n')]);
        const { quoted, bytes } = read(ask({}, { headerBlock }));
        expect(quoted.equals(headerBlock)).toBe(true);
        expect(bytes.every((byte) => byte < 128)).toBe(true);
      }),
    );
  });

  it('does without a header, a message id, or an id that is none', () => {
    for (const headerBlock of ['', 'Subject: x\r\n', 'Message-ID: none\r\n']) {
      const { node } = read(ask({}, { headerBlock: Buffer.from(headerBlock) }));
      expect(header(node, 'references')).toBeUndefined();
    }
  });

  it('survives a reply of any text, with lines that every hop accepts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (noise) => {
        const { bytes, rcpt } = read(ask({ response: responseFromText(550, noise) }));
        expect(rcpt['Diagnostic-Code']).toMatch(/^smtp; 550/);
        for (const line of bytes.toString('latin1').split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
      }),
    );
    const { bytes } = read(ask({ response: responseFromText(550, 'x'.repeat(60_000)) }));
    for (const line of bytes.toString('latin1').split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
  });

  it('quotes only the beginning of a huge header', () => {
    const headerBlock = Buffer.from('X-Long: abcdefghij\r\n'.repeat(10_000));
    const { quoted } = read(ask({}, { headerBlock }));
    expect(quoted.length).toBeLessThanOrEqual(65_536);
    expect(quoted.toString()).toMatch(/^(X-Long: abcdefghij\r\n)+$/);
  });
});
