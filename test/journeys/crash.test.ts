/** kill -9: what was promised before is delivered, once, by the next life of the router. */
import { describe, it, type TestContext } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { SinkScript } from '../../src/lib/smtp/sink/script.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, restOutcome, sendSmtp } from '../helpers/journey-mail.ts';

async function database(context: TestContext, kind: (typeof databases)[number]): Promise<TestDatabase> {
  const created = await kind.create();
  context.onTestFinished(() => created.drop());
  return created;
}

const cases = databases.flatMap((kind) =>
  shapes.map((shape): [string, Shape, typeof kind] => [kind.name, shape, kind]),
);

describe('a router that is killed after it has promised', () => {
  it.concurrent.for(cases)('delivers everything once after its restart: %s, %s', async ([, shape, kind], context) => {
    const { expect } = context;
    let isAway = true;
    const far: SinkScript = (stage, address) => {
      if (!isAway || stage !== 'rcpt') return undefined;
      return address.startsWith('silent') ? 'hang' : reply(450, '4.2.0', 'not now');
    };
    const { url } = await database(context, kind);
    const journey = await Journey.open(context, { databaseUrl: url, far });
    if (kind.name === 'postgres') {
      expect(await journey.run('db', 'init', '--url', url).exited).toMatchObject({ code: 0 });
    }
    const first = await journey.start(shape);
    const { ports } = journey;
    const rcpts = ['silent-1@far.example', 'refusing-1@far.example'];
    const smtp = await sendSmtp(context, { port: ports.msa, rcpts });
    expect(smtp.data).toBe('250 2.6.0 DATA ok (store&forward)');
    const app = { url: journey.routerUrl, message: 'Subject: from an app\r\n\r\nhello\r\n' };
    expect(await createRest({ ...app, rcpt: 'silent-2@far.example' })).toMatchObject({ status: 201 });
    expect(await createRest({ ...app, rcpt: 'refusing-2@far.example' })).toMatchObject({ status: 201 });
    await first.router.crash();
    expect(journey.sink.messages).toEqual([]);

    isAway = false;
    const router = shape === 'serve' ? await journey.serve() : await journey.router();
    const messages = await journey.sink.received(4);
    expect(await router.terminate()).toEqual({ code: 0, signal: null });
    expect(messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual([
      'refusing-1@far.example',
      'refusing-2@far.example',
      'silent-1@far.example',
      'silent-2@far.example',
    ]);
    expect(await unfinished(url)).toEqual(NOTHING_LEFT);
  });
});

describe('an upload that is interrupted by the death of the router', () => {
  it.concurrent.for(databases.map((kind): [string, typeof kind] => [kind.name, kind]))(
    'goes on where it was: %s',
    async ([, kind], context) => {
      const { expect } = context;
      const { url } = await database(context, kind);
      const journey = await Journey.open(context, { databaseUrl: url });
      if (kind.name === 'postgres') await journey.run('db', 'init', '--url', url).exited;
      const first = await journey.serve();
      const { location } = await createRest({ url: journey.routerUrl, rcpt: 'b@far.example' });
      const message = `Subject: in two parts\r\n\r\n${'0123456789\r\n'.repeat(1000)}`;
      const put = (from: number, to: number): Promise<Response> =>
        fetch(`${location}/body`, {
          method: 'PUT',
          body: message.slice(from, to),
          headers: { 'content-range': `bytes ${from}-${to - 1}/${message.length}` },
        });
      expect((await put(0, 5000)).status).toBe(200);
      await first.crash();
      const second = await journey.serve();
      // It does not know what was taken: what it says too much is ignored.
      const rest = await put(0, message.length);
      expect([rest.status, rest.headers.get('content-range')]).toEqual([
        200,
        `bytes 0-${message.length - 1}/${message.length}`,
      ]);
      expect(await restOutcome(location)).toMatchObject({ final_attempt_reason: 'upstream response success' });
      expect(await second.terminate()).toEqual({ code: 0, signal: null });
      expect(journey.sink.messages.map(({ body }) => body.subarray(-message.length).toString())).toEqual([message]);
    },
  );
});

describe('a router that is killed after the final dot and before it has recorded the answer', () => {
  it.concurrent('sends again what it cannot know about, and only that', async (context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const first = await journey.serve();
    const app = { url: journey.routerUrl, message: 'Subject: from an app\r\n\r\nhello\r\n' };
    const known = await createRest({ ...app, rcpt: 'known@far.example' });
    await restOutcome(known.location);
    journey.gate.hold('message accepted');
    await createRest({ ...app, rcpt: 'unknown@far.example' });
    await journey.gate.held();
    await first.crash();
    journey.gate.release();
    const second = await journey.serve();
    await journey.sink.received(3);
    expect(await second.terminate()).toEqual({ code: 0, signal: null });
    expect(journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address)).toEqual([
      'known@far.example',
      'unknown@far.example',
      'unknown@far.example',
    ]);
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });
});
