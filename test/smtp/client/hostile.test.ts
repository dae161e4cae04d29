/** Servers that make no sense: whatever they say, every call is answered, nothing rejects, and nothing is taken for delivered that was not. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { memoryBody } from '../../../src/lib/core/body.ts';
import { mailbox } from '../../../src/lib/core/mailbox.ts';
import { isOk, type Response, responseClass } from '../../../src/lib/core/response.ts';
import { SmtpConnection } from '../../../src/lib/smtp/client/connection.ts';
import { openConnection } from '../../../src/lib/smtp/client/open-connection.ts';
import { realClock } from '../../helpers/fake-deps.ts';
import { scriptedServer } from './scripted-server.ts';

const fragment = fc.constantFrom(
  '220 hi\r\n',
  '250 ok\r\n',
  '250-',
  '250-PIPELINING\r\n250-CHUNKING\r\n250 STARTTLS\r\n',
  '354 go on\r\n',
  '421 bye\r\n',
  '550 5.1.1 no\r\n',
  '451',
  '\r\n',
  '\n',
  ' ',
  '999 x\r\n',
  '25',
  '\0\xff\r\n',
);

async function deliver(connection: SmtpConnection, bdatChunkBytes: number | undefined): Promise<Response[]> {
  const body = memoryBody(Buffer.from('.\r\nhello\r\n'));
  const answers = await Promise.all([
    connection.mail(mailbox('a@x.example')),
    connection.rcpt(mailbox('b@y.example')),
    connection.rcpt(mailbox('c@y.example')),
  ]);
  if (!answers.slice(1).some(isOk)) return answers;
  return [...answers, ...(await connection.message({ body, acceptedRcpts: 1, bdatChunkBytes }))];
}

it('always gives an answer', async () => {
  let script: readonly string[] = [];
  const server = await scriptedServer(async (peer) => {
    // One fragment at once, one for each thing that is heard, and then the end.
    const says = script[Symbol.iterator]();
    const next = (): void => {
      const { value, done } = says.next();
      if (done) peer.socket.end();
      else peer.say(value);
    };
    next();
    peer.socket.on('data', next);
    await peer.gone;
  });
  const { host, port } = server;
  const profile = { name: 't', protocol: 'smtp', ehloHost: 'c', timeoutMs: 25, tls: 'opportunistic' } as const;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fragment, { maxLength: 3 }).map((parts) => parts.join('')),
          { maxLength: 8 },
        ),
        fc.constantFrom(undefined, 3),
        async (says, bdatChunkBytes) => {
          script = ['220 hi\r\n', '250-x\r\n250 PIPELINING\r\n', ...says];
          const opened = await openConnection({ host, port, profile }, realClock);
          const answers = opened instanceof SmtpConnection ? await deliver(opened, bdatChunkBytes) : [opened];
          for (const answer of answers) expect(responseClass(answer)).not.toBe('other');
          if (opened instanceof SmtpConnection) await opened.quit();
        },
      ),
      { numRuns: 100 },
    );
  } finally {
    await server.close();
  }
});

it('sends a PROXY header before anything else', async () => {
  const server = await scriptedServer(async (peer) => {
    expect(await peer.line()).toBe('PROXY TCP4 203.0.113.4 127.0.0.1 1234 25');
    peer.say('220 hi\r\n');
    await peer.line();
    peer.say('250 hello\r\n');
  });
  const preamble = 'PROXY TCP4 203.0.113.4 127.0.0.1 1234 25';
  const profile = { name: 't', protocol: 'smtp', ehloHost: 'c', timeoutMs: 5000, tls: 'off', preamble } as const;
  const opened = await openConnection({ host: server.host, port: server.port, profile }, realClock);
  expect(opened).toBeInstanceOf(SmtpConnection);
  if (opened instanceof SmtpConnection) opened.destroy();
  await server.close();
});
