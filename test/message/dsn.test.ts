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
  const third = given.original.headerBlock.length === 0 ? '' : ',text/rfc822-headers';
  expect(shape(node)).toBe(`report(text/plain,message/delivery-status${third})`);
  const [text, status, quoted] = node.children as [MimeNode, MimeNode, MimeNode | undefined];
  expect(text.content.toString().includes('header is attached')).toBe(quoted !== undefined);
  const [message = '', rcpt = ''] = status.content.toString().split('\r\n\r\n');
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

describe('a delivery status notification', () => {
  it('is a report as RFC 3464 wants it', () => {
    const { node, message, rcpt, quoted } = read(ask({ remoteMta: 'mx.b.test' }, { envelopeId: 'QQ314159' }));
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
  ] as const)('of kind %s for %i "%s" has the status %s', (action, code, reply, status, sentence) => {
    const retryUntil = Date.UTC(2026, 0, 6);
    const given = ask({ action, response: responseFromText(code, reply), ...(action === 'delayed' && { retryUntil }) });
    const { rcpt, text } = read(given);
    expect([rcpt.Action, rcpt.Status]).toEqual([action, status]);
    expect(text).toContain(sentence);
  });

  it('writes an internationalised recipient in the form that passes everywhere (RFC 6533)', () => {
    const { rcpt, text } = read(ask({}, { rcpt: 'jörg+x@bücher.test' }));
    expect(rcpt['Final-Recipient']).toBe('utf-8; j\\x{F6}rg\\x{2B}x@b\\x{FC}cher.test');
    expect(text).toContain('jörg+x@bücher.test');
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
