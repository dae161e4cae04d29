/** Two routers on one PostgreSQL: each owns what it has in work, knows who owns the rest, and takes over from a neighbour that dies. */
import { describe, it, type TestContext } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { SinkScript } from '../../src/lib/smtp/sink/script.ts';
import { databases } from '../helpers/databases.ts';
import { Journey } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, MESSAGE, restOutcome, sendSmtp } from '../helpers/journey-mail.ts';
import type { KoukanProcess } from '../helpers/process.ts';

const TTL_SECONDS = 3;

/** Two places with one database and one far end: the second sends through the first one's far end. */
async function pair(context: TestContext, far?: SinkScript): Promise<readonly [Journey, Journey]> {
  const database = await databases.find(({ name }) => name === 'postgres')?.create();
  if (database === undefined) throw new Error('there is no PostgreSQL to test on');
  context.onTestFinished(() => database.drop());
  const ask = { databaseUrl: database.url, times: { sessionRefresh: 0.5, sessionTtl: TTL_SECONDS } };
  const one = await Journey.open(context, { ...ask, ...(far && { far }) });
  const two = await Journey.open(context, { ...ask, farPort: one.ports.far });
  await one.run('db', 'init', '--url', database.url).exited;
  return [one, two];
}

describe('two routers on one database', () => {
  it.concurrent('send a client that asks the wrong one to the right one', async (context) => {
    const { expect } = context;
    const [one, two] = await pair(context);
    await Promise.all([one.serve(), two.router()]);
    one.gate.hold('message accepted');
    const { status, location } = await createRest({ url: one.routerUrl, rcpt: 'b@far.example', message: MESSAGE });
    expect(status).toBe(201);
    await one.gate.held();

    const elsewhere = location.replace(one.routerUrl, two.routerUrl);
    const answer = await fetch(elsewhere, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([308, location]);
    const waiting = restOutcome(elsewhere);
    one.gate.release();
    expect(await waiting).toMatchObject({ final_attempt_reason: 'upstream response success' });
    // Once it has ended, everybody knows.
    const after = await fetch(elsewhere, { redirect: 'manual' });
    expect(after.status).toBe(200);
    expect(one.sink.messages).toHaveLength(1);
  });

  it.concurrent('take the upload of a message by either one', async (context) => {
    const { expect } = context;
    const [one, two] = await pair(context);
    await Promise.all([one.serve(), two.router()]);
    const { location } = await createRest({ url: one.routerUrl, rcpt: 'b@far.example' });
    const elsewhere = `${location.replace(one.routerUrl, two.routerUrl)}/body`;
    const upload = await fetch(elsewhere, { method: 'PUT', body: MESSAGE });
    expect(upload.status).toBe(200);
    expect(await restOutcome(location)).toMatchObject({ final_attempt_reason: 'upstream response success' });
    expect(one.sink.messages).toHaveLength(1);
  });

  it.concurrent('take over from one that is killed, and deliver once', async (context) => {
    const { expect } = context;
    let isSilent = true;
    const [one, two] = await pair(context, (stage) => (isSilent && stage === 'rcpt' ? 'hang' : undefined));
    const [first, second] = await Promise.all([one.serve(), two.serve()]);
    const app = await createRest({ url: one.routerUrl, rcpt: 'app@far.example', message: MESSAGE });
    expect((await sendSmtp(context, { port: one.ports.msa, rcpts: ['user@far.example'] })).data).toMatch(/^250 /);
    expect(await unfinished(one.databaseUrl)).toEqual({ due: 0, leased: 2, sessions: 2 });

    isSilent = false;
    await first.crash();
    const killedAt = performance.now();
    await second.until('took over the transactions of a dead replica');
    const seconds = (performance.now() - killedAt) / 1000;
    expect(seconds).toBeLessThan(TTL_SECONDS + 5);
    const messages = await one.sink.received(2);
    const elsewhere = app.location.replace(one.routerUrl, two.routerUrl);
    expect(await restOutcome(elsewhere)).toMatchObject({ final_attempt_reason: 'upstream response success' });
    expect(await second.terminate()).toEqual({ code: 0, signal: null });
    expect(messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual([
      'app@far.example',
      'user@far.example',
    ]);
    expect(await unfinished(one.databaseUrl)).toEqual(NOTHING_LEFT);
  });

  it.concurrent('do not both deliver when one was only away', async (context) => {
    const { expect } = context;
    const [one, two] = await pair(context, (stage) => (stage === 'rcpt' ? reply(250, '2.1.5', 'go on') : undefined));
    const [first, second] = await Promise.all([one.serve(), two.serve()]);
    one.gate.hold('go on');
    await createRest({ url: one.routerUrl, rcpt: 'b@far.example', message: MESSAGE });
    await one.gate.held();
    first.kill('SIGSTOP');
    // It finds this when it comes back.
    one.gate.release();
    await second.until('took over the transactions of a dead replica');
    await one.sink.received(1);
    first.kill('SIGCONT');
    await first.until('this session was declared dead');
    expect(await stopped(first, second)).toEqual([0, 0]);
    expect(one.sink.messages).toHaveLength(1);
    expect(await unfinished(one.databaseUrl)).toEqual(NOTHING_LEFT);
  });
});

async function stopped(...processes: readonly KoukanProcess[]): Promise<readonly (number | null)[]> {
  return Promise.all(processes.map(async (each) => (await each.terminate()).code));
}
