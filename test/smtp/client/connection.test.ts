import { afterEach, describe, expect, it } from 'vitest';
import { type Body, memoryBody } from '../../../src/lib/core/body.ts';
import { limits } from '../../../src/lib/core/limits.ts';
import { mailbox } from '../../../src/lib/core/mailbox.ts';
import { formatResponse, type Response } from '../../../src/lib/core/response.ts';
import { SmtpConnection } from '../../../src/lib/smtp/client/connection.ts';
import { openConnection } from '../../../src/lib/smtp/client/open-connection.ts';
import type { ClientProfile } from '../../../src/lib/smtp/client/profile.ts';
import { Spool } from '../../../src/lib/spool/spool.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { fakeDeps, realClock } from '../../helpers/fake-deps.ts';
import { type Peer, playUntil, type ScriptedServer, scriptedServer } from './scripted-server.ts';

const PROFILE: ClientProfile = {
  name: 'test',
  protocol: 'smtp',
  ehloHost: 'client.example',
  timeoutMs: 30_000,
  tls: 'opportunistic',
};
const BODY = memoryBody(Buffer.from('Subject: x\r\n\r\nhello\r\n'));

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(
  script: (peer: Peer, connection: number) => Promise<void>,
  options: { readonly segmentBytes?: number } = {},
): Promise<ScriptedServer> {
  const started = await scriptedServer(script, options);
  cleanups.push(() => started.close());
  return started;
}

async function connect(
  to: { readonly host: string; readonly port: number },
  profile: Partial<ClientProfile> = {},
  clock = realClock,
): Promise<SmtpConnection | Response> {
  const opened = await openConnection({ host: to.host, port: to.port, profile: { ...PROFILE, ...profile } }, clock);
  if (opened instanceof SmtpConnection) cleanups.push(() => opened.destroy());
  return opened;
}

async function connected(...args: Parameters<typeof connect>): Promise<SmtpConnection> {
  const opened = await connect(...args);
  if (opened instanceof SmtpConnection) return opened;
  throw new Error(`no connection: ${formatResponse(opened)}`);
}

/** The whole of one transaction; the answers in order, as far as they exist. */
async function deliver(connection: SmtpConnection, body: Body = BODY): Promise<Response[]> {
  const envelope = await Promise.all([
    connection.mail(mailbox('a@x.example')),
    connection.rcpt(mailbox('b@y.example')),
  ]);
  return [...envelope, ...(await connection.message({ body, acceptedRcpts: 1 }))];
}

const text = (responses: readonly Response[]): string[] => responses.map(formatResponse);

describe('opening a session', () => {
  it('understands replies of several lines in segments of one byte', async () => {
    const { host, port } = await server(
      async (peer) => {
        peer.say('220-server.example\r\n220 welcome\r\n');
        await peer.line();
        peer.say('250-server.example greets you\r\n250-PIPELINING\r\n250-size 1000\r\n250 AUTH=PLAIN\r\n');
        await peer.line();
        peer.say('250-2.1.0 one\r\n250-2.1.0 two\r\n250 2.1.0 three\r\n');
      },
      { segmentBytes: 1 },
    );
    const connection = await connected({ host, port });
    expect([...connection.capabilities]).toEqual([
      ['PIPELINING', ''],
      ['SIZE', '1000'],
      ['AUTH', 'PLAIN'],
    ]);
    const answer = await connection.mail(mailbox('a@x.example'));
    expect(answer).toEqual({ code: 250, enhanced: '2.1.0', text: 'one\ntwo\nthree' });
  });

  it('falls back to HELO when EHLO is not known, and then counts on nothing', async () => {
    const target = await server(async (peer) => {
      peer.say('220 old\r\n');
      expect(await peer.line()).toBe('EHLO client.example');
      peer.say('502 what\r\n');
      expect(await peer.line()).toBe('HELO client.example');
      peer.say('250 hello\r\n');
    });
    expect((await connected(target)).capabilities.size).toBe(0);
  });

  it.each([
    ['a greeting that refuses', '554 5.7.1 go away\r\n', '', '554 5.7.1 go away'],
    ['a greeting of 421', '421 4.3.2 later\r\n', '', '421 4.3.2 later'],
    ['a temporary refusal of EHLO', '220 hi\r\n', '450 4.7.0 wait\r\n', '450 4.7.0 wait'],
    ['a refusal of EHLO and HELO', '220 hi\r\n', '550 5.7.1 no\r\n', '550 5.7.1 no'],
    [
      'a greeting that is neither yes nor no',
      '354 x\r\n',
      '',
      '450 4.5.0 protocol error: unexpected reply 354 to the greeting',
    ],
  ])('answers with the reply of the server for %s, and closes', async (_, greeting, hello, expected) => {
    const target = await server(async (peer) => {
      peer.say(greeting);
      for (let line = await peer.line(); line !== undefined; line = await peer.line())
        peer.say(line === 'QUIT' ? '221 bye\r\n' : hello);
    });
    const refusal = await connect(target);
    expect(text([refusal as Response])).toEqual([expected]);
  });

  it('says which error the connection met', async () => {
    const closed = await server(async () => undefined);
    await closed.close();
    const refusal = (await connect(closed)) as Response;
    expect(refusal).toMatchObject({ code: 450, enhanced: '4.4.1' });
    expect(refusal.text).toContain('ECONNREFUSED');
    expect(await connect({ host: '127.0.0.1', port: 700_000 })).toMatchObject({ code: 450, enhanced: '4.4.1' });
  });

  it('ends at once when nobody waits for it any more', async () => {
    const abort = new AbortController();
    const target = await server(async (peer) => {
      abort.abort();
      await peer.gone;
    });
    const opened = await openConnection({ ...target, profile: PROFILE }, realClock, abort.signal);
    expect(opened).toMatchObject({ code: 450 });
  });
});

const AUTH_OFFERED = '250-x\r\n250 AUTH PLAIN\r\n';

describe('a server that falls silent while a session is opened', () => {
  it.each([
    ['in the middle of the greeting', ['220 he'], 'before the greeting'],
    ['in the middle of a line of its answer to EHLO', ['220 hi\r\n', '250-x\r\n250-PIPE'], 'at EHLO'],
    ['before the last line of its answer to EHLO', ['220 hi\r\n', '250-x\r\n'], 'at EHLO'],
    ['at AUTH', ['220 hi\r\n', AUTH_OFFERED, ''], 'at AUTH'],
    ['in the middle of its answer to AUTH', ['220 hi\r\n', AUTH_OFFERED, '235 2.7'], 'at AUTH'],
  ] as const)('%s is given up in time', async (_, says, step) => {
    const clock = new FakeClock();
    let reached: () => void = () => undefined;
    const isReached = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const target = await server(async (peer) => {
      for (const [i, piece] of says.entries()) {
        if (i > 0) await peer.line();
        peer.say(piece);
      }
      reached();
      await peer.gone;
    });
    const opened = connect(target, { tls: 'off', credentials: { user: 'ann', password: 'secret' } }, clock);
    await isReached;
    await settle(50);
    await clock.advance(PROFILE.timeoutMs);
    expect(text([(await opened) as Response])).toEqual([`450 4.4.2 no reply within 30 s ${step}`]);
    expect(clock.sleeping).toBe(0);
  });
});

const STEPS = [
  ['connect', 'before the greeting'],
  ['EHLO', 'at EHLO'],
  ['MAIL', 'at MAIL'],
  ['RCPT', 'at RCPT'],
  ['DATA', 'at DATA'],
  ['dot', 'after the final dot, before the reply: the message may have been delivered'],
] as const;

async function attempt(target: ScriptedServer, clock = realClock): Promise<Response> {
  const connection = await connect(target, {}, clock);
  if (!(connection instanceof SmtpConnection)) return connection;
  const mail = await connection.mail(mailbox('a@x.example'));
  if (mail.code !== 250) return mail;
  const rcpt = await connection.rcpt(mailbox('b@y.example'));
  if (rcpt.code !== 250) return rcpt;
  const [answer] = await connection.message({ body: BODY, acceptedRcpts: 1 });
  expect(connection.isOpen).toBe(false);
  return answer as Response;
}

describe.each(STEPS)('when something goes wrong at %s', (verb, step) => {
  it('says where the connection was lost', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, verb);
      peer.socket.destroy();
    });
    const answer = await attempt(target);
    expect(answer).toMatchObject({ code: 450, enhanced: '4.4.2' });
    expect(answer.text).toContain(`connection lost ${step}`);
    expect(answer.inDoubt).toBe(verb === 'dot' ? true : undefined);
  });

  it('says where a reply did not come in time', async () => {
    const clock = new FakeClock();
    let reached: () => void = () => undefined;
    const isReached = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const target = await server(async (peer) => {
      await playUntil(peer, verb);
      reached();
      await peer.gone;
    });
    const answer = attempt(target, clock);
    await isReached;
    await settle(50);
    await clock.advance(PROFILE.timeoutMs);
    expect(text([await answer])).toEqual([`450 4.4.2 no reply within 30 s ${step}`]);
    expect(clock.sleeping).toBe(0);
  });

  it.each([
    ['garbage', 'SSH-2.0-OpenSSH\r\n', 'no reply code'],
    ['a reply without end', `250-${'x'.repeat(1000)}\r\n`.repeat(limits.smtpReplyBytes / 1000 + 1), 'too long'],
    ['a line without end', '2'.repeat(limits.smtpReplyBytes + 1), 'too long'],
  ])('closes the connection for %s', async (_, garbage, why) => {
    const target = await server(async (peer) => {
      await playUntil(peer, verb);
      peer.say(garbage);
      await peer.gone;
    });
    const answer = await attempt(target);
    expect(answer).toMatchObject({ code: 450, enhanced: '4.5.0' });
    expect(answer.text).toContain(why);
    expect(answer.text).toContain(step);
  });

  it('takes 421 for the answer, and the session for closed', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, verb);
      peer.say('421 4.3.2 shutting down\r\n');
      await peer.gone;
    });
    expect(text([await attempt(target)])).toEqual(['421 4.3.2 shutting down']);
  });
});

describe('a session', () => {
  it('puts MAIL and all RCPT into one segment when the server offers PIPELINING', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'MAIL', '250-server.example\r\n250 PIPELINING\r\n');
      await peer.line();
      await peer.line();
      peer.say('250 from\r\n550 no\r\n250 to\r\n');
    });
    const connection = await connected(target);
    const asks = [connection.mail(mailbox('a@x.example'))];
    // The recipients come some promises later, as they do behind a chain of filters.
    await Promise.resolve();
    asks.push(connection.rcpt(mailbox('b@y.example')));
    await Promise.resolve().then(() => undefined);
    asks.push(connection.rcpt(mailbox('c@y.example')));
    expect(text(await Promise.all(asks))).toEqual(['250 from', '550 no', '250 to']);
    expect(target.segments.slice(1)).toEqual([
      'MAIL FROM:<a@x.example>\r\nRCPT TO:<b@y.example>\r\nRCPT TO:<c@y.example>\r\n',
    ]);
  });

  it('sends one command at a time otherwise', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'nothing');
    });
    const connection = await connected(target);
    expect(text(await deliver(connection))).toEqual(['250 2.0.0 ok', '250 2.0.0 ok', '250 2.0.0 taken']);
    expect(target.segments).toEqual([
      'EHLO client.example\r\n',
      'MAIL FROM:<a@x.example>\r\n',
      'RCPT TO:<b@y.example>\r\n',
      'DATA\r\n',
      'Subject: x\r\n\r\nhello\r\n.\r\n',
    ]);
  });

  it('never lets a line end, or another control character, into a command', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'nothing');
    });
    const connection = await connected(target);
    const hostile = ['a@x\r\nRSET', 'a\n@x', 'a\0@x', '"a\r\nb"@x', 'a@x> SIZE=1', '"a\tb"@x', 'a b@x', '<a@x'];
    for (const address of hostile) {
      expect(await connection.mail(mailbox(address))).toMatchObject({ code: 553, enhanced: '5.1.7' });
      expect(await connection.rcpt(mailbox(address))).toMatchObject({ code: 553, enhanced: '5.1.3' });
    }
    const params = [
      { keyword: 'A B' },
      { keyword: 'A', value: 'b\r\nRSET' },
      { keyword: '' },
      { keyword: 'A', value: '' },
    ];
    for (const param of params)
      expect(await connection.mail(mailbox('a@x', [param]))).toMatchObject({ code: 501, enhanced: '5.5.4' });
    expect(await connection.mail(mailbox(`${'a'.repeat(limits.smtpCommandLineBytes)}@x`))).toMatchObject({ code: 501 });
    expect(connection.isClean).toBe(true);
    expect(target.segments).toEqual(['EHLO client.example\r\n']);
    expect(await connect(target, { ehloHost: 'a\r\nRSET' })).toMatchObject({ code: 450, enhanced: '4.3.5' });
  });

  it('sends letters whose code ends like a line end as what they are', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'nothing');
    });
    const connection = await connected(target);
    expect(await connection.mail(mailbox('\u010a\u010d@x.example'))).toMatchObject({ code: 250 });
    expect(target.segments[1]).toBe(Buffer.from('MAIL FROM:<\u010a\u010d@x.example>\r\n').toString('latin1'));
  });

  it('defuses control characters in replies, and keeps letters of all kinds', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'MAIL');
      peer.say(`550 5.1.0 a\rb\0c\x1b[31m ${Buffer.from('é').toString('latin1')}\xff\r\n`);
    });
    const connection = await connected(target);
    expect((await connection.mail(mailbox('a@x.example'))).text).toBe('a?b?c?[31m é\ufffd');
  });

  it('is over when the server speaks without being asked', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'RSET');
      peer.say('250 ok\r\n250 and more\r\n');
    });
    const connection = await connected(target);
    await connection.mail(mailbox('a@x.example'));
    expect(await connection.reset()).toBe(false);
    expect(connection.isOpen).toBe(false);
  });

  it('takes a code without text, and the last code when lines disagree', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'MAIL');
      peer.say('250\r\n');
      await peer.line();
      peer.say('250-yes\r\n550 no\r\n');
    });
    const connection = await connected(target);
    expect(await connection.mail(mailbox('a@x.example'))).toEqual({ code: 250, text: '' });
    expect(await connection.rcpt(mailbox('b@y.example'))).toEqual({ code: 550, text: 'yes\nno' });
  });

  it('answers 4xx for a reply that is neither yes nor no', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'MAIL');
      peer.say('354 go on\r\n');
    });
    const connection = await connected(target);
    expect(await connection.mail(mailbox('a@x.example'))).toMatchObject({ code: 450, enhanced: '4.5.0' });
    expect(connection.isOpen).toBe(false);
  });
});

/** A body that comes in chunks, and may claim another size than it has. */
function chunkedBody(chunks: readonly (string | Error)[], size?: number): Body {
  const bytes = chunks.map((chunk) => (chunk instanceof Error ? chunk : Buffer.from(chunk)));
  return {
    size: size ?? bytes.reduce((sum, chunk) => sum + (chunk instanceof Error ? 0 : chunk.length), 0),
    async *chunks() {
      for (const chunk of bytes) {
        if (chunk instanceof Error) throw chunk;
        yield chunk;
      }
    },
    retain: () => () => undefined,
  };
}

describe('sending a message', () => {
  it('reports a refusal that comes in the middle of it, and sends no end', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'DATA');
      peer.say('354 go on\r\n');
      await peer.until('begin');
      peer.say('552 5.3.4 enough\r\n');
      await peer.gone;
    });
    const connection = await connected(target);
    const endless: Body = {
      size: 1e12,
      async *chunks() {
        for (;;) yield Buffer.from(`begin${'x'.repeat(1000)}\r\n`);
      },
      retain: () => () => undefined,
    };
    expect(text(await deliver(connection, endless)).at(-1)).toBe('552 5.3.4 enough');
    expect(connection.isOpen).toBe(false);
    expect(target.segments.join('')).not.toContain('\r\n.\r\n');
  });

  it.each([
    ['cannot be read to its end', chunkedBody(['Subject: x\r\n', new Error('disk')], 100)],
    ['is shorter than it said', chunkedBody(['Subject: x\r\n'], 100)],
  ])('never lets a message look complete that %s', async (_, body) => {
    for (const bdatChunkBytes of [undefined, 5]) {
      const target = await server(async (peer) => {
        await playUntil(peer, 'DATA', '250-server.example\r\n250 CHUNKING\r\n');
        peer.say('354 go on\r\n');
        await peer.gone;
      });
      const connection = await connected(target);
      await connection.mail(mailbox('a@x.example'));
      await connection.rcpt(mailbox('b@y.example'));
      const answers = await connection.message({ body, acceptedRcpts: 1, bdatChunkBytes });
      expect(text(answers)).toEqual(['451 4.3.0 the message could not be read']);
      expect(connection.isOpen).toBe(false);
      expect(target.segments.join('')).not.toMatch(/\r\n\.\r\n|LAST/);
    }
  });

  it('stops after a chunk that was refused, and answers with that refusal', async () => {
    const target = await server(async (peer) => {
      await playUntil(peer, 'BDAT', '250-server.example\r\n250 CHUNKING\r\n');
      await peer.until('Subje');
      peer.say('452 4.3.1 full\r\n');
      if ((await peer.line()) === 'RSET') peer.say('250 ok\r\n');
    });
    const connection = await connected(target);
    await connection.mail(mailbox('a@x.example'));
    await connection.rcpt(mailbox('b@y.example'));
    const answers = await connection.message({ body: BODY, acceptedRcpts: 1, bdatChunkBytes: 5 });
    expect(text(answers)).toEqual(['452 4.3.1 full']);
    expect(connection.isClean).toBe(false);
    expect(await connection.reset()).toBe(true);
  });

  it('says goodbye, and does not wait for ever for an answer to that', async () => {
    const clock = new FakeClock();
    const target = await server(async (peer) => {
      await playUntil(peer, 'QUIT');
      await peer.gone;
    });
    const connection = await connected(target, {}, clock);
    const done = connection.quit();
    await settle(50);
    await clock.advance(limits.smtpQuitMs);
    await done;
    expect(connection.isOpen).toBe(false);
    expect(target.segments.at(-1)).toBe('QUIT\r\n');
  });
});

describe('a server that hangs up with its word to go on', () => {
  it('is not sent the message, which may be nobody\u2019s by then', async () => {
    const started = await server(async (peer) => {
      await playUntil(peer, 'DATA');
      peer.say('354 go on\r\n421 4.3.2 closing\r\n');
    });
    const connection = await connected(started);
    await Promise.all([connection.mail(mailbox('a@x.example')), connection.rcpt(mailbox('b@y.example'))]);
    const writer = new Spool('unused', fakeDeps()).writer({ maxBytes: 100 });
    await writer.append(Buffer.from('Subject: x\r\n\r\nhello\r\n'));
    const answers = connection.message({ body: await writer.finish(true), acceptedRcpts: 1 });
    // From now on only the connection holds it.
    writer.discard();
    expect(await answers).toMatchObject([{ code: 421 }]);
    await settle(10);
  });
});
