/** A second message hidden behind something that only some take for the end of the first: always one message, and refused. */
import { describe, expect, it } from 'vitest';
import { SmtpClient } from '../../helpers/dialog.ts';
import { smtpService } from '../../helpers/smtp-service.ts';

const almostEnds = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r\n.\r',
  '\r.\r\n',
  '\n.\r',
  '\r.\n',
  '\r\r\n.\r\r\n',
  '\n\n.\n\n',
  '\0\r\n.\r\n\0'.slice(0, 4),
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n.\r\0\n',
  '\r\n.\r\r\n',
  '\r\n.\n\r\n',
];

const hidden = 'MAIL FROM:<evil@b.example>\r\nRCPT TO:<victim@d.example>\r\nDATA\r\nSubject: smuggled\r\n';

describe('smuggling', () => {
  for (const segmentBytes of [0, 1]) {
    it.each(almostEnds)(
      `behind %j is refused as one message (segments: ${segmentBytes || 'all at once'})`,
      async (almost) => {
        await using service = await smtpService();
        const client = await SmtpClient.connect(service.port);
        client.segmentBytes = segmentBytes;
        await client.send(
          `HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: x\r\n\r\nbody${almost}${hidden}\r\n.\r\nQUIT\r\n`,
        );
        const said = (await client.rest()).split('\r\n');
        expect(said.slice(4)).toEqual([
          '354 end data with <CR><LF>.<CR><LF>',
          expect.stringMatching(/^554 5\.6\.0 /),
          '221 2.0.0 goodbye',
          '',
        ]);
        expect(service.hop.exchanges).toHaveLength(1);
        expect(service.hop.delivered).toHaveLength(0);
      },
    );
  }

  it('by octet count is refused too: BDAT must not bring in what DATA cannot carry', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    const message = `body\n.\n${hidden}`;
    await client.send(
      `HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nBDAT ${message.length} LAST\r\n${message}QUIT\r\n`,
    );
    expect((await client.rest()).split('\r\n').slice(4)).toEqual([
      expect.stringMatching(/^554 5\.6\.0 /),
      '221 2.0.0 goodbye',
      '',
    ]);
    expect(service.hop.delivered).toHaveLength(0);
  });

  it('in a command is refused: a recipient cannot carry the next one', async () => {
    await using service = await smtpService();
    const client = await SmtpClient.connect(service.port);
    await client.send(
      'HELO c\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\nRCPT TO:<victim@d.example>\r\nDATA\r\nQUIT\r\n',
    );
    expect((await client.rest()).split('\r\n').slice(3)).toEqual([
      expect.stringMatching(/^500 5\.5\.2 /),
      '503 5.5.1 need RCPT first',
      '221 2.0.0 goodbye',
      '',
    ]);
    expect(service.hop.exchanges[0]?.rcpts).toEqual([]);
  });
});
