import { afterEach, describe, expect, it } from 'vitest';
import { memoryBody } from '../../../src/lib/core/body.ts';
import { limits } from '../../../src/lib/core/limits.ts';
import { mailbox } from '../../../src/lib/core/mailbox.ts';
import { formatResponse } from '../../../src/lib/core/response.ts';
import { SmtpConnection } from '../../../src/lib/smtp/client/connection.ts';
import { type PoolAsk, SmtpPool } from '../../../src/lib/smtp/client/pool.ts';
import { type Sink, type SinkOptions, startSink } from '../../../src/lib/smtp/sink/sink.ts';
import { FakeClock, settle } from '../../helpers/fake-clock.ts';
import { memoryLog } from '../../helpers/fake-deps.ts';
import { playUntil, scriptedServer } from './scripted-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const NEVER = new AbortController().signal;

async function setup(
  sinkOptions: SinkOptions = {},
): Promise<{ sink: Sink; pool: SmtpPool; clock: FakeClock; ask: PoolAsk }> {
  const sink = await startSink(sinkOptions);
  const clock = new FakeClock();
  const pool = new SmtpPool({ deps: { clock, log: memoryLog() } });
  cleanups.push(() => sink.close());
  cleanups.push(() => pool.close(AbortSignal.abort()));
  const profile = { name: 't', protocol: 'smtp', ehloHost: 'c.example', timeoutMs: 300_000, tls: 'off' } as const;
  const destination = { host: sink.host, port: sink.port, profile };
  return { sink, pool, clock, ask: { destination, maxConnections: 2, idleTimeoutMs: 10_000 } };
}

async function take(pool: SmtpPool, ask: PoolAsk, signal = NEVER): Promise<SmtpConnection> {
  const connection = await pool.acquire(ask, signal);
  if (connection instanceof SmtpConnection) return connection;
  throw new Error(formatResponse(connection));
}

async function deliver(connection: SmtpConnection, rcpt = 'b@y.example'): Promise<void> {
  await Promise.all([connection.mail(mailbox('a@x.example')), connection.rcpt(mailbox(rcpt))]);
  await connection.message({ body: memoryBody(Buffer.from('x\r\n')), acceptedRcpts: 1 });
}

describe('the pool', () => {
  it('uses a connection again after a message was taken, without RSET', async () => {
    const { sink, pool, ask } = await setup();
    for (let i = 0; i < 3; i += 1) {
      const connection = await take(pool, ask);
      await deliver(connection);
      pool.release(connection);
    }
    expect(sink.connections).toBe(1);
    expect(sink.messages.map((m) => m.sequence)).toEqual([1, 2, 3]);
    expect(sink.commands).not.toContain('RSET');
  });

  it.each([
    ['after a transaction that came to nothing', 'rcptperm@y.example'],
    ['after a message that was refused', 'dataperm@y.example'],
  ])('uses a connection again %s, with RSET in between', async (_, rcpt) => {
    const { sink, pool, ask } = await setup();
    const one = { ...ask, maxConnections: 1 };
    const connection = await take(pool, one);
    await deliver(connection, rcpt);
    pool.release(connection);
    expect(await take(pool, one)).toBe(connection);
    expect(sink.commands.at(-1)).toBe('RSET');
  });

  it('drops a connection whose transaction is in the middle of something', async () => {
    const { sink, pool, ask } = await setup();
    const connection = await take(pool, ask);
    await connection.mail(mailbox('a@x.example'));
    const rcpt = connection.rcpt(mailbox('rcpttimeout@y.example'));
    pool.release(connection);
    expect(await rcpt).toMatchObject({ code: 450, enhanced: '4.4.2' });
    expect(connection.isOpen).toBe(false);
    expect(await take(pool, ask)).not.toBe(connection);
    expect(sink.connections).toBe(2);
  });

  it('drops a connection that does not answer RSET', async () => {
    const target = await scriptedServer(async (peer) => {
      await playUntil(peer, 'RSET');
      await peer.gone;
    });
    cleanups.push(() => target.close());
    const { pool, ask, clock } = await setup();
    const connection = await take(pool, { ...ask, destination: { ...ask.destination, port: target.port } });
    await connection.mail(mailbox('a@x.example'));
    pool.release(connection);
    await settle(50);
    await clock.advance(limits.smtpRsetMs);
    expect(pool.stats.connections).toBe(0);
    expect(target.segments.at(-1)).toBe('RSET\r\n');
  });

  it('lends no more connections to a destination than allowed, and serves who waits in order', async () => {
    const { sink, pool, ask } = await setup();
    const [first, second] = [await take(pool, ask), await take(pool, ask)];
    const order: string[] = [];
    const third = take(pool, ask).then((connection) => {
      order.push('third');
      return connection;
    });
    const fourth = take(pool, ask).then((connection) => {
      order.push('fourth');
      return connection;
    });
    await settle();
    expect(pool.stats).toMatchObject({ connections: 2, idle: 0, waiting: 2 });
    pool.release(second);
    expect(await third).toBe(second);
    first.destroy();
    expect(await fourth).not.toBe(first);
    expect(order).toEqual(['third', 'fourth']);
    expect(sink.connections).toBe(3);
  });

  it('lets nobody wait for ever, and nobody hold a place who has left', async () => {
    const { pool, ask, clock } = await setup();
    const one = { ...ask, maxConnections: 1 };
    const held = await take(pool, one);
    const leaving = new AbortController();
    const left = pool.acquire(one, leaving.signal);
    const late = pool.acquire(one, NEVER);
    await settle();
    leaving.abort();
    expect(await left).toMatchObject({ code: 450, text: 'transaction cancelled' });
    await clock.advance(limits.smtpPoolWaitMs);
    expect(await late).toMatchObject({ code: 450, enhanced: '4.4.5' });
    pool.release(held);
    expect(await take(pool, one)).toBe(held);
  });

  it('closes what idles for too long, and forgets what the server closes', async () => {
    const { sink, pool, ask, clock } = await setup();
    const [first, second] = [await take(pool, ask), await take(pool, ask)];
    pool.release(first);
    pool.release(second);
    await clock.advance(ask.idleTimeoutMs - 1);
    expect(pool.stats.idle).toBe(2);
    await clock.advance(1);
    await Promise.all([closed(first), closed(second)]);
    expect(sink.commands.filter((line) => line === 'QUIT')).toHaveLength(2);
    const third = await take(pool, ask);
    pool.release(third);
    await sink.close();
    await closed(third);
    expect(pool.stats).toMatchObject({ connections: 0, idle: 0, waiting: 0 });
    expect(clock.sleeping).toBeLessThanOrEqual(1);
  });

  it('opens a new connection when a fresh one is wanted, and makes room for it', async () => {
    const { pool, ask } = await setup();
    const one = { ...ask, maxConnections: 1 };
    const used = await take(pool, one);
    await deliver(used);
    pool.release(used);
    const fresh = await take(pool, { ...one, fresh: true });
    expect(fresh).not.toBe(used);
    expect(fresh.transactions).toBe(0);
  });

  it('keeps destinations and profiles apart', async () => {
    const { pool, ask, sink } = await setup();
    const first = await take(pool, ask);
    pool.release(first);
    const { destination } = ask;
    const other = { ...ask, destination: { ...destination, profile: { ...destination.profile, name: 'other' } } };
    expect(await take(pool, other)).not.toBe(first);
    expect(sink.connections).toBe(2);
  });

  it('closes down: idle ones at once, lent ones when they come back or when it has to be quick', async () => {
    const { sink, pool, ask } = await setup();
    const [idle, lent, stuck] = [await take(pool, ask), await take(pool, ask), new AbortController()];
    pool.release(idle);
    const done = pool.close(stuck.signal);
    expect(await pool.acquire(ask, NEVER)).toMatchObject({ code: 450, enhanced: '4.3.2' });
    await closed(idle);
    expect(lent.isOpen).toBe(true);
    await deliver(lent);
    pool.release(lent);
    await done;
    expect(sink.messages).toHaveLength(1);
    expect(lent.isOpen).toBe(false);
  });

  it('drops what is lent when closing has to be quick', async () => {
    const { pool, ask } = await setup();
    const lent = await take(pool, ask);
    const hurry = new AbortController();
    const done = pool.close(hurry.signal);
    hurry.abort();
    await done;
    expect(lent.isOpen).toBe(false);
    expect(pool.stats.connections).toBe(0);
  });
});

function closed(connection: SmtpConnection): Promise<void> {
  return new Promise((resolve) => {
    if (connection.closed.aborted) resolve();
    else connection.closed.addEventListener('abort', () => resolve(), { once: true });
  });
}
