/** A second message hidden in the first: whatever the programs of a chain may take for the end of a message, one arrives, or none. */
import { describe, it } from 'vitest';
import { SmtpClient } from '../helpers/dialog.ts';
import { Journey, shapes } from '../helpers/journey.ts';
import { createRest, MESSAGE, restOutcome, sendSmtp } from '../helpers/journey-mail.ts';

/** What some program somewhere takes for the end of a message. */
const almostEnds = [
  '\n.\n',
  '\n.\r\n',
  '\r\n.\n',
  '\r.\r',
  '\r.\r\n',
  '\r\n.\r',
  '\n.\r',
  '\r.\n',
  '\r\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\r\n.\r\r\n',
  '\r\n.\n\r\n',
];
const HIDDEN =
  'MAIL FROM:<evil@far.example>\r\nRCPT TO:<victim@far.example>\r\nDATA\r\nSubject: smuggled\r\n\r\nevil\r\n';

describe('a message hidden in another', () => {
  it.concurrent.for(shapes)('never becomes one of its own: %s', async (shape, context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    await journey.start(shape);
    const { sink, ports } = journey;

    for (const port of [ports.mx, ports.msa]) {
      for (const end of almostEnds) {
        const said = await talk(port, `DATA\r\nSubject: x\r\n\r\nbody${end}${HIDDEN}\r\n.\r\nQUIT\r\n`);
        expect(said, JSON.stringify(end)).toMatch(/\r\n554 5\.6\.0 .*\r\n221 .*\r\n$/);
      }
    }
    const chunk = `Subject: x\r\n\r\nbody\n.\n${HIDDEN}`;
    expect(await talk(ports.mx, `BDAT ${chunk.length} LAST\r\n${chunk}QUIT\r\n`)).toMatch(/\r\n554 5\.6\.0 .*\r\n221 /);
    expect(sink.commands.filter((line) => line === 'DATA')).toEqual([]);

    // An application may say what it likes: it is one message, written so that nobody can take it for two.
    for (const end of ['\r\n.\r\n', ...almostEnds.filter((each) => !each.includes('\0'))]) {
      const before = sink.messages.length;
      const message = `Subject: x\r\n\r\nbody${end}${HIDDEN}`;
      const { status, location } = await createRest({ url: journey.routerUrl, rcpt: 'app@far.example', message });
      expect(status).toBe(201);
      await restOutcome(location);
      expect(sink.messages.length - before, JSON.stringify(end)).toBeLessThanOrEqual(1);
    }
    const { data } = await sendSmtp(context, { port: ports.mx, rcpts: ['last@far.example'], message: MESSAGE });
    expect(data).toMatch(/^250 /);
    expect(sink.messages.at(-1)?.rcptTo[0]?.address).toBe('last@far.example');
    expect(sink.messages.flatMap(({ rcptTo }) => rcptTo.map(({ address }) => address))).not.toContain(
      'victim@far.example',
    );
    const loose = sink.messages.filter(({ body }) => /[\r\n]/.test(body.toString('latin1').replaceAll('\r\n', '')));
    expect(loose).toEqual([]);
  });
});

/** Everything at once, as smugglers do; answers all that was said. */
async function talk(port: number, rest: string): Promise<string> {
  const client = await SmtpClient.connect(port);
  await client.reply();
  await client.command('EHLO client.example');
  await client.command('MAIL FROM:<alice@example.com>');
  await client.command('RCPT TO:<bob@far.example>');
  await client.send(Buffer.from(rest, 'latin1'));
  const said = await client.rest();
  client.destroy();
  return `\r\n${said}`;
}
