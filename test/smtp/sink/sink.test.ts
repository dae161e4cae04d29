import net from 'node:net';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { reply } from '../../../src/lib/core/response.ts';
import { type Sink, type SinkOptions, startSink } from '../../../src/lib/smtp/sink/sink.ts';
import { testCertificate } from '../client/certificate.ts';

const sinks: Sink[] = [];
const sockets: net.Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const sink of sinks.splice(0)) await sink.close();
});

async function sinkWith(options: SinkOptions = {}): Promise<Sink> {
  const sink = await startSink(options);
  sinks.push(sink);
  return sink;
}

/** Says these pieces, each in a segment of its own, and answers with all that comes back until `ends` says so or the server closes. */
function talk(
  sink: Sink,
  pieces: readonly string[],
  ends = (heard: string): boolean => heard.includes('\r\n221 '),
): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = net.connect({ port: sink.port, host: sink.host, noDelay: true });
    sockets.push(socket);
    for (const piece of pieces) socket.write(Buffer.from(piece, 'latin1'));
    socket.on('data', (chunk) => {
      heard += chunk.toString('latin1');
      if (ends(heard)) resolve(heard);
    });
    // A server that hangs up while we speak: what was heard counts.
    socket.on('error', () => resolve(heard));
    socket.on('close', () => resolve(heard));
  });
}

const ENVELOPE = 'EHLO me\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\n';

/** The codes of a conversation, one for each reply. */
function codes(heard: string): string[] {
  return [...heard.matchAll(/^(\d{3}) /gm)].map((match) => match[1] as string);
}

describe('the sink', () => {
  it('takes a message in segments of one byte, and in one', async () => {
    const sink = await sinkWith();
    const whole = `${ENVELOPE}DATA\r\n..a\r\n.\r\nQUIT\r\n`;
    expect(codes(await talk(sink, [whole]))).toEqual(['220', '250', '250', '250', '354', '250', '221']);
    expect(codes(await talk(sink, [...whole]))).toEqual(['220', '250', '250', '250', '354', '250', '221']);
    expect(sink.messages.map((m) => m.body.toString())).toEqual(['.a\r\n', '.a\r\n']);
    expect(sink.messages.map((m) => m.connection)).toEqual([1, 2]);
  });

  it('sees no end of a message where there is only something like one', async () => {
    const sink = await sinkWith();
    const notEnds = ['\n.\n', '\n.\r\n', '\r\n.\n', '\r.\r', '\r\n.\r', '\r\r\n.\r\r\n'];
    for (const notEnd of notEnds) await talk(sink, [`${ENVELOPE}DATA\r\na${notEnd}MAIL FROM:<x@y>\r\n.\r\nQUIT\r\n`]);
    expect(sink.messages.map((m) => m.mailFrom.address)).toEqual(notEnds.map(() => 'a@x'));
  });

  it('reads what is stuffed wherever the segments end', async () => {
    const sink = await sinkWith();
    const line = fc.constantFrom('', '.', '..', 'a', '.\0', 'x.y');
    const bodies = fc.array(line, { maxLength: 8 }).map((lines) => lines.map((text) => `${text}\r\n`).join(''));
    await fc.assert(
      fc.asyncProperty(bodies, fc.array(fc.nat({ max: 60 }), { maxLength: 4 }), async (body, cuts) => {
        const wire = `${ENVELOPE}DATA\r\n${body.replace(/^\./gm, '..')}.\r\nQUIT\r\n`;
        const ends = [...cuts.map((cut) => wire.length - 1 - (cut % wire.length)), wire.length].sort((a, b) => a - b);
        const pieces = ends.map((end, i) => wire.slice(i === 0 ? 0 : ends[i - 1], end)).filter((piece) => piece !== '');
        await talk(sink, pieces);
        expect(sink.messages.at(-1)?.body.toString('latin1')).toBe(body);
      }),
      { numRuns: 60 },
    );
  });

  it('treats magic recipients as their names ask, at RCPT and at the end of a message with no other recipient', async () => {
    const sink = await sinkWith();
    const rcpts = ['rcpttemp@y', 'rcptperm+1@y', 'datatemp@y', 'b@y'].map((rcpt) => `RCPT TO:<${rcpt}>\r\n`).join('');
    const several = await talk(sink, [`EHLO me\r\nMAIL FROM:<>\r\n${rcpts}DATA\r\n.\r\nQUIT\r\n`]);
    expect(codes(several).slice(3)).toEqual(['450', '550', '250', '250', '354', '250', '221']);
    for (const [rcpt, code] of [
      ['datatemp@y', '450'],
      ['dataperm@y', '550'],
    ] as const) {
      const alone = await talk(sink, [`EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<${rcpt}>\r\nDATA\r\n.\r\nQUIT\r\n`]);
      expect(codes(alone).slice(-2)).toEqual([code, '221']);
    }
    expect(sink.messages).toHaveLength(1);
  });

  it('says nothing more to a recipient that asks for silence', async () => {
    const sink = await sinkWith();
    const heard = await talk(sink, ['EHLO me\r\nMAIL FROM:<>\r\nRCPT TO:<rcpttimeout@y>\r\nQUIT\r\n'], (text) =>
      text.endsWith('250 2.0.0 OK\r\n'),
    );
    expect(codes(heard)).toEqual(['220', '250', '250']);
    expect(sink.commands).not.toContain('QUIT');
  });

  it('follows a script at each step', async () => {
    const answers = { connect: 554, hello: 550, mail: 451, rcpt: 452, data: 453, dot: 554 } as const;
    for (const [stage, code] of Object.entries(answers)) {
      const sink = await sinkWith({ reply: (at) => (at === stage ? reply(code, '4.0.0', 'no') : undefined) });
      expect(codes(await talk(sink, [`${ENVELOPE}DATA\r\n`, '.\r\n', 'QUIT\r\n']))).toContain(String(code));
      expect(sink.messages).toEqual([]);
      const dropping = await sinkWith({ reply: (at) => (at === stage ? 'drop' : undefined) });
      expect(codes(await talk(dropping, [`${ENVELOPE}DATA\r\n.\r\nQUIT\r\n`]))).not.toContain('221');
    }
  });

  it('closes after 421', async () => {
    const sink = await sinkWith({ reply: (stage) => (stage === 'mail' ? reply(421, '4.3.2', 'later') : undefined) });
    expect(codes(await talk(sink, [ENVELOPE], () => false))).toEqual(['220', '250', '421']);
  });

  it('minds the order of commands', async () => {
    const sink = await sinkWith();
    const lines = [
      'MAIL FROM:<a@x>',
      'EHLO me',
      'RCPT TO:<b@y>',
      'DATA',
      'MAIL FROM:<a@x>',
      'MAIL FROM:<a@x>',
      'RCPT TO:<>',
      'MAIL',
      'LHLO x',
      'VRFY b',
      'NOOP',
      'BDAT x',
    ];
    const heard = await talk(
      sink,
      lines.map((line) => `${line}\r\n`),
      () => false,
    );
    expect(codes(heard)).toEqual([
      '220',
      '503',
      '250',
      '503',
      '503',
      '250',
      '503',
      '501',
      '501',
      '500',
      '500',
      '250',
      '501',
    ]);
  });

  it('refuses a message that is too large and goes on with the next', async () => {
    const sink = await sinkWith({ maxMessageBytes: 100 });
    const large = `${'x'.repeat(200)}\r\n`;
    const heard = await talk(sink, [
      `${ENVELOPE}DATA\r\n`,
      large,
      large,
      `.\r\n${ENVELOPE}BDAT ${large.length}\r\n${large}`,
      `${ENVELOPE}BDAT 2 LAST\r\nok${ENVELOPE}DATA\r\nok\r\n.\r\nQUIT\r\n`,
    ]);
    expect(codes(heard).filter((code) => code === '552')).toHaveLength(2);
    expect(sink.messages.map((m) => m.body.toString())).toEqual(['ok', 'ok\r\n']);
  });

  it('takes BDAT in chunks of any size, and reads over chunks that nobody may send', async () => {
    const sink = await sinkWith();
    const heard = await talk(sink, [
      ...`BDAT 5\r\nQUIT\n${ENVELOPE}BDAT 3\r\na\r\nBDAT 0\r\nBDAT 2 LAST\r\n.\rQUIT\r\n`,
    ]);
    expect(codes(heard)).toEqual(['220', '503', '250', '250', '250', '250', '250', '250', '221']);
    expect(sink.messages[0]).toMatchObject({ bdat: true, body: Buffer.from('a\r\n.\r') });
  });

  it('forgets what stands in clear behind STARTTLS', async () => {
    const sink = await sinkWith({ tls: testCertificate });
    const heard = await talk(sink, ['EHLO me\r\nSTARTTLS\r\nMAIL FROM:<a@x>\r\n'], (text) =>
      text.includes('220 2.0.0'),
    );
    expect(heard).toContain('250 STARTTLS');
    expect(sink.commands).toEqual(['EHLO me', 'STARTTLS']);
  });

  it('keeps no more messages than it is told to', async () => {
    const seen: string[] = [];
    const sink = await sinkWith({ keep: 1, onMessage: (m) => seen.push(m.body.toString()) });
    for (const body of ['1', '2', '3']) await talk(sink, [`${ENVELOPE}DATA\r\n${body}\r\n.\r\nQUIT\r\n`]);
    expect(seen).toEqual(['1\r\n', '2\r\n', '3\r\n']);
    expect((await sink.received(3)).map((m) => m.body.toString())).toEqual(['3\r\n']);
    expect(sink.commands).toEqual(['QUIT']);
  });

  it('does not collect a line without end', async () => {
    const sink = await sinkWith();
    expect(codes(await talk(sink, ['x'.repeat(100_000)], () => false))).not.toContain('250');
    expect(sink.commands).toEqual([]);
  });
});
