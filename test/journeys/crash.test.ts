/** kill -9 between the 250 and the delivery: what was promised is delivered, once, by the next life of the router. */
import { describe, it, type TestContext } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { SinkScript } from '../../src/lib/smtp/sink/script.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, sendSmtp } from '../helpers/journey-mail.ts';

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
    const { expect: expectHere } = context;
    let isAway = true;
    const far: SinkScript = (stage, address) => {
      if (!isAway || stage !== 'rcpt') return undefined;
      return address.startsWith('silent') ? 'hang' : reply(450, '4.2.0', 'not now');
    };
    const { url } = await database(context, kind);
    const journey = await Journey.open(context, { databaseUrl: url, far });
    if (kind.name === 'postgres') {
      expectHere(await journey.run('db', 'init', '--url', url).exited).toMatchObject({ code: 0 });
    }
    const first = await journey.start(shape);
    const { ports } = journey;
    const rcpts = ['silent-1@far.example', 'refusing-1@far.example'];
    const smtp = await sendSmtp(context, { port: ports.msa, rcpts });
    expectHere(smtp.data).toBe('250 2.6.0 DATA ok (store&forward)');
    const app = { url: journey.routerUrl, message: 'Subject: from an app\r\n\r\nhello\r\n' };
    expectHere(await createRest({ ...app, rcpt: 'silent-2@far.example' })).toMatchObject({ status: 201 });
    expectHere(await createRest({ ...app, rcpt: 'refusing-2@far.example' })).toMatchObject({ status: 201 });
    await first.router.crash();
    expectHere(journey.sink.messages).toEqual([]);

    isAway = false;
    const router = shape === 'serve' ? await journey.serve() : await journey.router();
    const messages = await journey.sink.received(4);
    expectHere(await router.terminate()).toEqual({ code: 0, signal: null });
    expectHere(messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual([
      'refusing-1@far.example',
      'refusing-2@far.example',
      'silent-1@far.example',
      'silent-2@far.example',
    ]);
    expectHere(await unfinished(url)).toEqual(NOTHING_LEFT);
  });
});
