/** Routers behind one address, and gateways behind another: whoever is reached first, the rest of the conversation finds its way. */
import { describe, it, type TestContext } from 'vitest';
import { databases } from '../helpers/databases.ts';
import { Journey } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, MESSAGE, restOutcome, sendSmtp } from '../helpers/journey-mail.ts';
import { RoundRobin } from '../helpers/round-robin.ts';

async function databaseUrl(context: TestContext): Promise<string> {
  const database = await databases.find(({ name }) => name === 'postgres')?.create();
  if (database === undefined) throw new Error('there is no PostgreSQL to test on');
  context.onTestFinished(() => database.drop());
  return database.url;
}

/** Each request on a connection of its own, so that the next one meets the next server. */
const anew = { connection: 'close' };

describe('two gateways behind one address', () => {
  it.concurrent('both deliver, and each transaction stays with the one that took it', async (context) => {
    const { expect } = context;
    const router = await Journey.open(context);
    const gateways = [
      await Journey.open(context, { farPort: router.ports.far }),
      await Journey.open(context, { farPort: router.ports.far }),
    ];
    const ports = gateways.map((gateway) => gateway.ports.gateway);
    const service = await RoundRobin.open(context, router.ports.gateway, ports);
    const processes = await Promise.all([router.router(), ...gateways.map((gateway) => gateway.gateway())]);
    const rcpts = Array.from({ length: 12 }, (_, i) => `r${i}@far.example`);
    const created = await Promise.all(
      rcpts.map((rcpt) => createRest({ url: router.routerUrl, rcpt, message: MESSAGE })),
    );
    const outcomes = await Promise.all(created.map(({ location }) => restOutcome(location)));
    expect(outcomes.map((outcome) => outcome.final_attempt_reason)).toEqual(
      rcpts.map(() => 'upstream response success'),
    );
    expect(router.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual(rcpts.toSorted());
    expect(Math.min(...service.counts)).toBeGreaterThan(0);
    for (const each of processes) expect(await each.terminate()).toEqual({ code: 0, signal: null });
  });
});

describe('two routers behind one address', () => {
  it.concurrent('take a conversation, whichever of them a request meets', async (context) => {
    const { expect } = context;
    const url = await databaseUrl(context);
    const gateway = await Journey.open(context, { databaseUrl: url });
    const routers = [
      await Journey.open(context, { databaseUrl: url, farPort: gateway.ports.far }),
      await Journey.open(context, { databaseUrl: url, farPort: gateway.ports.far }),
    ];
    await gateway.run('db', 'init', '--url', url).exited;
    const service = await RoundRobin.open(
      context,
      gateway.ports.router,
      routers.map(({ ports }) => ports.router),
    );
    // Either router has a gateway of its own for what goes out; the third one is for what comes in.
    const processes = await Promise.all([
      gateway.gateway(),
      ...routers.flatMap((router) => [router.router(), router.gateway()]),
    ]);

    // A client that knows one address and goes where it is told.
    const path = '/senders/submission/transactions';
    const json = { 'content-type': 'application/json', ...anew };
    const ask = { sender: { name: 'submission', tag: 'smtp' }, mail_from: { m: 'alice@example.com' } };
    const post = await fetch(`${gateway.routerUrl}${path}`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify(ask),
    });
    expect(post.status).toBe(201);
    const { pathname } = new URL(post.headers.get('location') ?? '');
    const there = `${gateway.routerUrl}${pathname}`;
    const etags = await Promise.all(
      [1, 2].map(async () => (await fetch(there, { headers: anew })).headers.get('etag')),
    );
    expect(new Set(etags).size).toBe(1);
    const rcpt = { rcpt_to: [{ m: 'bob@far.example' }] };
    const patch = await fetch(there, {
      method: 'PATCH',
      headers: { ...json, 'if-match': String(etags[0]) },
      body: JSON.stringify(rcpt),
    });
    expect(patch.status).toBe(200);
    for (const _ of [1, 2]) {
      const put = await fetch(`${there}/body`, { method: 'PUT', headers: anew, body: MESSAGE });
      expect([put.status, put.headers.get('content-range')]).toEqual([
        200,
        `bytes 0-${MESSAGE.length - 1}/${MESSAGE.length}`,
      ]);
    }
    await gateway.sink.received(1);

    // A gateway that knows one address.
    const rcpts = Array.from({ length: 8 }, (_, i) => `r${i}@far.example`);
    const replies = await Promise.all(
      rcpts.map((each) => sendSmtp(context, { port: gateway.ports.mx, rcpts: [each] })),
    );
    for (const { data } of replies) expect(data).toMatch(/^250 /);
    expect(gateway.sink.messages).toHaveLength(9);
    expect(Math.min(...service.counts)).toBeGreaterThan(0);
    for (const each of processes) expect(await each.terminate()).toEqual({ code: 0, signal: null });
    expect(await unfinished(url)).toEqual(NOTHING_LEFT);
  });
});
