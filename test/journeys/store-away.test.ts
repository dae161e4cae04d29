/** The database is away, or the disk is full: nothing is promised that cannot be kept, what was promised is kept, and no restart is needed. */
import { execFileSync } from 'node:child_process';
import { describe, it, type TestContext } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { reply } from '../../src/lib/core/response.ts';
import { databases } from '../helpers/databases.ts';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { Gate } from '../helpers/journey-gate.ts';
import { createRest, MESSAGE, type SmtpReplies, sendSmtp } from '../helpers/journey-mail.ts';
import { freePort } from '../helpers/journey-ports.ts';
import { privatePostgres } from '../helpers/journey-postgres.ts';
import type { KoukanProcess } from '../helpers/process.ts';

interface Outage {
  readonly begin: (router: KoukanProcess) => Promise<void>;
  readonly end: (router: KoukanProcess) => Promise<void>;
}

/**
 * `slow@` is refused by the far end for now, so that it can only be stored. One message was promised before the outage, one has been sent but
 * its outcome cannot be written, some cannot be promised.
 */
async function journeyThrough(
  context: TestContext,
  shape: Shape,
  databaseUrl: string | undefined,
  outage: Outage,
): Promise<void> {
  const { expect } = context;
  let isSlow = true;
  const journey = await Journey.open(context, {
    ...(databaseUrl !== undefined && { databaseUrl }),
    far: (stage, address) =>
      isSlow && stage === 'rcpt' && address.startsWith('slow') ? reply(450, '4.2.0', 'not now') : undefined,
  });
  if (databaseUrl !== undefined) await journey.run('db', 'init', '--url', databaseUrl).exited;
  const started = await journey.start(shape);
  const { mx, msa } = journey.ports;
  const url = journey.routerUrl;
  const user = (rcpt: string, message = MESSAGE): Promise<SmtpReplies> =>
    sendSmtp(context, { port: msa, rcpts: [rcpt], message });
  expect((await user('slow-promised@far.example')).data).toMatch(/^250 /);
  journey.gate.hold('message accepted');
  expect(await createRest({ url, rcpt: 'sent@far.example', message: MESSAGE })).toMatchObject({ status: 201 });
  await journey.gate.held();

  await outage.begin(started.router);
  journey.gate.release();
  await started.router.until('an outcome could not be recorded');
  expect((await createRest({ url, rcpt: 'no@far.example', message: MESSAGE })).status).toBe(503);
  expect((await user('slow-no@far.example')).data).toMatch(/^4\d\d /);
  // What the far end takes at once needs no store.
  expect((await sendSmtp(context, { port: mx, rcpts: ['through@far.example'] })).data).toMatch(/^250 /);
  await outage.end(started.router);

  isSlow = false;
  expect((await acceptedAgain(() => user('slow-after@far.example'))).data).toMatch(/^250 /);
  expect(await created(url)).toBe(201);
  const messages = await journey.sink.received(5);
  expect(await started.stop()).toEqual(started.processes.map(() => 0));
  expect(messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual(
    ['after', 'sent', 'slow-after', 'slow-promised', 'through'].map((name) => `${name}@far.example`),
  );
  expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
}

async function acceptedAgain(send: () => Promise<SmtpReplies>): Promise<SmtpReplies> {
  for (;;) {
    const replies = await send();
    if (replies.data?.startsWith('2')) return replies;
  }
}

/** A client that tries again as long as it is told to. */
async function created(url: string): Promise<number> {
  for (;;) {
    const { status } = await createRest({ url, rcpt: 'after@far.example', message: MESSAGE });
    if (status !== 503) return status;
  }
}

describe('a PostgreSQL that is stopped and started', () => {
  it.concurrent.for(shapes)('costs temporary errors and nothing else: %s', async (shape, context) => {
    const postgres = await privatePostgres(context);
    await journeyThrough(context, shape, postgres.url, { begin: () => postgres.stop(), end: () => postgres.start() });
  });
});

describe('SIGTERM while PostgreSQL', () => {
  it.concurrent.for([
    ['is silent', (gate: Gate) => gate.hold('')],
    ['is gone', (gate: Gate) => gate.close()],
  ] as const)('%s ends all the same, and the next start keeps the promises', async ([, fail], context) => {
    const { expect } = context;
    const database = await databases.find(({ name }) => name === 'postgres')?.create();
    if (database === undefined) throw new Error('there is no PostgreSQL to test on');
    context.onTestFinished(() => database.drop());
    const url = new URL(database.url);
    const gate = await Gate.open(context, await freePort(), Number(url.port));
    url.port = String(gate.port);
    let isSlow = true;
    const journey = await Journey.open(context, {
      databaseUrl: url.href,
      flags: ['--stop-timeout=1'],
      far: (stage) => (isSlow && stage === 'rcpt' ? 'hang' : undefined),
    });
    await journey.run('db', 'init', '--url', database.url).exited;
    const first = await journey.serve();
    const { mx, msa } = journey.ports;
    expect((await sendSmtp(context, { port: msa, rcpts: ['stored@far.example'] })).data).toMatch(/^250 /);
    await fail(gate);
    // It cannot say that it gives back what it holds.
    expect(await first.terminate()).toEqual({ code: 1, signal: null });
    expect(await unfinished(database.url)).toMatchObject({ leased: 1, sessions: 1 });

    isSlow = false;
    gate.release();
    if (!gate.isOpen) await Gate.open(context, gate.port, Number(new URL(database.url).port));
    const second = await journey.serve();
    expect((await sendSmtp(context, { port: mx, rcpts: ['mx@far.example'] })).data).toMatch(/^250 /);
    await journey.sink.received(2);
    expect(await second.terminate()).toEqual({ code: 0, signal: null });
    expect(journey.sink.messages).toHaveLength(2);
    expect(await unfinished(database.url)).toEqual(NOTHING_LEFT);
  });
});

/** Sets the size up to which a process may write files, as if its disk were full; util-linux has the program. */
function limitFiles(child: KoukanProcess, bytes: number | 'unlimited'): void {
  execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`]);
}

function hasPrlimit(): boolean {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.runIf(hasPrlimit())('a full disk under the SQLite file', () => {
  it.concurrent.for(shapes)('costs temporary errors and nothing else: %s', async (shape, context) => {
    await journeyThrough(context, shape, undefined, {
      begin: async (router) => limitFiles(router, 1),
      end: async (router) => limitFiles(router, 'unlimited'),
    });
  });

  it.concurrent('refuses for now a message that does not fit into memory', async (context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const serve = await journey.serve();
    const message = `Subject: large\r\n\r\n${`${'x'.repeat(76)}\r\n`.repeat(Math.ceil(limits.bodyHeldBytes / 78))}`;
    const send = () => sendSmtp(context, { port: journey.ports.mx, rcpts: ['b@far.example'], message });
    limitFiles(serve, 1);
    expect((await send()).data).toMatch(/^4\d\d 4\.3\.\d /);
    limitFiles(serve, 'unlimited');
    expect((await send()).data).toMatch(/^250 /);
    expect(journey.sink.messages).toHaveLength(1);
  });
});
