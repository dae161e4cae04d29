/** Whatever is sent: the listener stays up, answers whole lines, and delivers nothing that was not properly sent. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SmtpClient } from '../../helpers/dialog.ts';
import { type SmtpService, smtpService } from '../../helpers/smtp-service.ts';

let service: SmtpService;
beforeAll(async () => {
  service = await smtpService({ maxBytes: 10_000, idleMs: 100 });
});
afterAll(() => service.close());

/** Sends everything and what ends most sessions, and gives back what was said; the rest ends by being idle. */
async function session(bytes: Buffer, segmentBytes: number): Promise<string> {
  const client = await SmtpClient.connect(service.port);
  client.segmentBytes = segmentBytes;
  await client.reply();
  await client.send(bytes);
  await client.send('\r\n.\r\nQUIT\r\n');
  const said = await client.rest();
  client.destroy();
  return said;
}

const WHOLE_REPLIES = /^(?:[245]\d\d[ -].*\r\n|354 .*\r\n)*$/;

const words = fc.constantFrom(
  ...['EHLO a', 'HELO b', 'MAIL FROM:<>', 'MAIL FROM:<a@b.example> SIZE=9', 'MAIL FROM:<a@b.example> BODY=8BITMIME'],
  ...[
    'RCPT TO:<c@d.example>',
    'RCPT TO:<"x',
    'RCPT TO:<c@d.example> X=Y',
    'DATA',
    'BDAT 5',
    'BDAT 0 LAST',
    'BDAT 7 LAST',
    'BDAT',
    'RSET',
  ],
  ...[
    'NOOP',
    'STARTTLS',
    'AUTH PLAIN',
    'VRFY x',
    'hello',
    '.',
    '..',
    '\0',
    '\xff',
    '\r',
    '\n',
    '\t',
    ' '.repeat(50),
    'x'.repeat(5000),
  ],
);

/** Left to chance alone, no message would ever be complete. */
const envelope = fc.constantFrom(
  'HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA',
  'RSET\r\nMAIL FROM:<>\r\nRCPT TO:<c@d.example>\r\nBDAT 9 LAST',
);
const mostlyWords = fc.oneof({ weight: 6, arbitrary: words }, { weight: 1, arbitrary: envelope });

describe('an SMTP listener that is sent anything', () => {
  it('stays up and answers in whole lines: random octets', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), fc.constantFrom(0, 1, 100), async (bytes, segmentBytes) => {
        expect(await session(Buffer.from(bytes), segmentBytes)).toMatch(WHOLE_REPLIES);
      }),
      { numRuns: 100 },
    );
    expect(service.hop.delivered).toHaveLength(0);
  });

  it('stays up and answers in whole lines: commands in any order, with any line ends', async () => {
    const ends = fc.constantFrom('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '');
    const script = fc.array(fc.tuple(mostlyWords, ends), { maxLength: 30 }).map((lines) => lines.flat().join(''));
    await fc.assert(
      fc.asyncProperty(script, fc.constantFrom(0, 1, 7), async (text, segmentBytes) => {
        expect(await session(Buffer.from(text, 'latin1'), segmentBytes)).toMatch(WHOLE_REPLIES);
      }),
      { numRuns: 300 },
    );
    expect(service.hop.delivered.length).toBeGreaterThan(0);
    for (const { mail, rcpts, body } of service.hop.delivered) {
      expect(mail).toHaveLength(1);
      expect(rcpts.length).toBeGreaterThan(0);
      expect(body).not.toMatch(/\0|\r(?!\n)|(?<!\r)\n/);
    }
  });

  it('has logged no error', () => {
    expect(service.log.lines.filter((line) => line.level === 'error')).toEqual([]);
  });
});
