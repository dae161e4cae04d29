import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { buildDsn } from '../../src/lib/message/dsn.ts';
import type { DsnAction, DsnAsk } from '../../src/lib/message/dsn-ask.ts';
import { readDeliveryStatus } from '../../src/lib/message/read-delivery-status.ts';
import { fakeDeps } from '../helpers/fake-deps.ts';
import { type MimeNode, readMime } from './mime-reader.ts';

const word = fc.stringMatching(/^[a-z0-9.'+_=-]{1,30}$/);
const label = fc.stringMatching(/^[a-z0-9]{1,20}$/);
const wide = fc.constantFrom('jörg', '客户', 'Ünï', 'δοκιμή');
const address = fc.tuple(fc.oneof(word, wide), label).map(([local, domain]) => `${local}@${domain}.test`);
const second = fc.integer({ min: 0, max: 4_000_000_000 }).map((seconds) => seconds * 1000);
const text = fc.stringMatching(/^[!-~]{1,20}( [!-~]{1,20}){0,5}$/);

const ask: fc.Arbitrary<DsnAsk> = fc.record(
  {
    action: fc.constantFrom<DsnAction>('failed', 'delayed', 'delivered', 'relayed', 'expanded'),
    reportingDomain: label.map((name) => `${name}.test`),
    from: fc.constant('mailer-daemon@a.test'),
    to: address,
    original: fc.record(
      {
        rcpt: address,
        originalRecipient: address.map((said) => ({
          type: /^[\x00-\x7f]*$/.test(said) ? 'rfc822' : 'utf-8',
          address: said,
        })),
        arrivalAt: second,
        headerBlock: fc.constantFrom(Buffer.alloc(0), Buffer.from('Subject: ü\r\n')),
        message: fc.constant(Buffer.from('Subject: x\r\n\r\nFinal-Recipient: rfc822; nobody@x.test\r\n')),
        envelopeId: text,
      },
      { requiredKeys: ['rcpt', 'arrivalAt', 'headerBlock'] },
    ),
    response: fc.record({ code: fc.constantFrom(250, 421, 450, 550), enhanced: fc.constant('5.1.1'), text }),
    lastAttemptAt: second,
    remoteMta: label.map((name) => `${name}.test`),
    retryUntil: second,
  },
  { requiredKeys: ['action', 'reportingDomain', 'from', 'to', 'original', 'response', 'lastAttemptAt'] },
);

describe('the machine-readable part of a notification', () => {
  it('says on reading what was said on writing', () => {
    fc.assert(
      fc.property(ask, (given) => {
        const status = readMime(buildDsn(given, fakeDeps())).children[1] as MimeNode;
        const { original, response } = given;
        const isWide = !/^[\x00-\x7f]*$/.test(original.rcpt);
        expect(readDeliveryStatus(status.content)).toEqual({
          ...(original.envelopeId !== undefined && { envelopeId: original.envelopeId }),
          reportingMta: given.reportingDomain,
          arrivalAt: original.arrivalAt,
          recipients: [
            {
              finalRecipient: { type: isWide ? 'utf-8' : 'rfc822', address: original.rcpt },
              ...(original.originalRecipient !== undefined && { originalRecipient: original.originalRecipient }),
              action: given.action,
              status: response.code === 550 ? '5.1.1' : `${String(response.code)[0]}.0.0`,
              ...(given.remoteMta !== undefined && { remoteMta: given.remoteMta }),
              diagnostic: `${response.code} 5.1.1 ${response.text}`,
              lastAttemptAt: given.lastAttemptAt,
              ...(given.retryUntil !== undefined && { retryUntil: given.retryUntil }),
            },
          ],
        });
      }),
    );
  });

  it('is read as others write it: several recipients, odd spacing, bare line ends, unknown fields', () => {
    const content = [
      'reporting-mta:dns;mx.b.test',
      'X-Queue: 7',
      '',
      '',
      'Final-Recipient:rfc822;one@b.test',
      'Action: FAILED',
      'Status: 5.2.2 (mailbox full)',
      'Diagnostic-Code: smtp; 552 5.2.2',
      '    over quota',
      '',
      'Action: failed',
      '',
      'Final-Recipient: rfc822; two@b.test',
      'Action: delayed',
      'Last-Attempt-Date: yesterday',
      '',
    ].join('\n');
    expect(readDeliveryStatus(Buffer.from(content))).toEqual({
      reportingMta: 'mx.b.test',
      recipients: [
        {
          finalRecipient: { type: 'rfc822', address: 'one@b.test' },
          action: 'failed',
          status: '5.2.2',
          diagnostic: '552 5.2.2    over quota',
        },
        { finalRecipient: { type: 'rfc822', address: 'two@b.test' }, action: 'delayed' },
      ],
    });
  });

  it('is none when it is about nobody', () => {
    for (const content of ['', 'Reporting-MTA: dns; x\r\n', 'nonsense', 'A: b\r\n\r\nAction: failed\r\n']) {
      expect(readDeliveryStatus(Buffer.from(content))).toBeUndefined();
    }
  });

  it('never throws, whatever the bytes', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void readDeliveryStatus(Buffer.from(bytes))));
  });
});
