/** kill -9, or silence, between the final dot and the reply to it: each policy does what it says, on each engine, in each shape. */
import { describe, it, type TestContext } from 'vitest';
import { databases } from '../helpers/databases.ts';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unanswered, unfinished } from '../helpers/journey-database.ts';
import { createRest } from '../helpers/journey-mail.ts';

type Policy = 'app' | 'holds' | 'asks';
type Kind = (typeof databases)[number];

const MESSAGE = 'Subject: from an app\r\n\r\nhello\r\n';
const cases = databases.flatMap((kind) => shapes.map((shape): [string, Shape, Kind] => [kind.name, shape, kind]));

interface Listed {
  readonly id: string;
  readonly uri: string;
}

class Doubt {
  readonly journey: Journey;
  readonly #shape: Shape;

  private constructor(journey: Journey, shape: Shape) {
    this.journey = journey;
    this.#shape = shape;
  }

  /** One message of a sender is sent whole, and its answer is held back. */
  static async open(context: TestContext, shape: Shape, kind: Kind): Promise<Doubt> {
    const database = await kind.create();
    context.onTestFinished(() => database.drop());
    const journey = await Journey.open(context, { databaseUrl: database.url });
    if (kind.name === 'postgres') await journey.run('db', 'init', '--url', database.url).exited;
    return new Doubt(journey, shape);
  }

  async send(sender: Policy, rcpt: string): Promise<string> {
    const { journey } = this;
    journey.gate.hold('message accepted');
    const { location } = await createRest({ url: journey.routerUrl, sender, rcpt, message: MESSAGE });
    await journey.gate.held();
    return location;
  }

  /** The next life of what was killed. */
  restart(): Promise<{ terminate(): Promise<unknown> }> {
    this.journey.gate.release();
    return this.#shape === 'serve' ? this.journey.serve() : this.journey.router();
  }

  async uncertain(): Promise<readonly Listed[]> {
    const response = await fetch(`${this.journey.routerUrl}/transactions?state=uncertain`);
    return ((await response.json()) as { readonly transactions: readonly Listed[] }).transactions;
  }

  /** Resolves when so many transactions are uncertain. */
  async untilUncertain(count: number): Promise<readonly Listed[]> {
    for (;;) {
      const found = await this.uncertain();
      if (found.length >= count) return found;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async history(location: string): Promise<Record<string, unknown>> {
    return (await (await fetch(`${location}/history`)).json()) as Record<string, unknown>;
  }

  async counted(): Promise<readonly string[]> {
    const text = await (await fetch(`${this.journey.routerUrl}/metrics`)).text();
    return text.split('\n').filter((line) => line.startsWith('koukan_uncertain_total{'));
  }

  sentTo(): readonly (string | undefined)[] {
    return this.journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address);
  }
}

describe('a router that is killed between the final dot and the reply', () => {
  it.concurrent.for(cases)('holds the message until somebody decides: %s, %s', async ([, shape, kind], context) => {
    const { expect } = context;
    const doubt = await Doubt.open(context, shape, kind);
    const first = await doubt.journey.start(shape);
    const kept = await doubt.send('holds', 'kept@far.example');
    await first.router.crash();
    const second = await doubt.restart();
    const [found] = await doubt.untilUncertain(1);
    expect(found?.uri).toBe(kept);
    expect(doubt.sentTo()).toEqual(['kept@far.example']);
    expect(await doubt.counted()).toEqual(['koukan_uncertain_total{sender="holds",cause="crash",policy="hold"} 1']);
    expect(await doubt.history(kept)).toMatchObject({
      state: 'uncertain',
      attempts: 1,
      attempt_list: [{ number: 1, dot_sent_at: expect.any(String), hosts: [['127.0.0.1', doubt.journey.ports.far]] }],
      next_reason: expect.stringContaining('may have been delivered'),
    });
    const shown = doubt.journey.run('tx', 'show', kept, '--url', doubt.journey.routerUrl);
    await shown.exited;
    expect(shown.stdout).toMatch(/state +uncertain, 1 attempt\n/);
    const listed = doubt.journey.run('tx', 'list', '--state', 'uncertain', '--url', doubt.journey.routerUrl);
    await listed.exited;
    expect(listed.stdout).toContain('kept@far.example');
    const retried = doubt.journey.run('tx', 'retry', kept, '--url', doubt.journey.routerUrl);
    expect(await retried.exited).toMatchObject({ code: 0 });
    await doubt.journey.sink.received(2);
    await second.terminate();
    expect(doubt.sentTo()).toEqual(['kept@far.example', 'kept@far.example']);
    expect(await unfinished(doubt.journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });

  it.concurrent.for(cases)('asks the sender: %s, %s', async ([, shape, kind], context) => {
    const { expect } = context;
    const doubt = await Doubt.open(context, shape, kind);
    const first = await doubt.journey.start(shape);
    const asked = await doubt.send('asks', 'asked@far.example');
    await first.router.crash();
    const second = await doubt.restart();
    await doubt.untilUncertain(1);
    const [, question] = await doubt.journey.sink.received(2);
    expect([question?.mailFrom?.address, question?.rcptTo[0]?.address]).toEqual(['', 'alice@example.com']);
    const text = question?.body.toString() ?? '';
    expect(text).toContain('may or may not have been delivered');
    expect(text).toMatch(/^Action: delayed\r$/m);
    expect(text).not.toMatch(/^Will-Retry-Until:/m);
    const cancelled = doubt.journey.run('tx', 'cancel', asked, '--url', doubt.journey.routerUrl);
    expect(await cancelled.exited).toMatchObject({ code: 0 });
    expect(await doubt.history(asked)).toMatchObject({ state: 'cancelled' });
    expect(await doubt.uncertain()).toEqual([]);
    await second.terminate();
    expect(doubt.sentTo()).toEqual(['asked@far.example', 'alice@example.com']);
  });

  it.concurrent.for(cases)('sends it again by default, and says so: %s, %s', async ([, shape, kind], context) => {
    const { expect } = context;
    const doubt = await Doubt.open(context, shape, kind);
    const first = await doubt.journey.start(shape);
    await doubt.send('app', 'twice@far.example');
    // The mark goes with what is committed next, once the answer has been awaited for a moment.
    const app = { url: doubt.journey.routerUrl, sender: 'app', rcpt: 'nobody@far.example' };
    while ((await unanswered(doubt.journey.databaseUrl)) === 0) await createRest(app);
    await first.router.crash();
    const second = await doubt.restart();
    while (doubt.sentTo().length < 2) await doubt.journey.sink.received(2);
    expect(await doubt.counted()).toContain('koukan_uncertain_total{sender="app",cause="crash",policy="retry"} 1');
    expect(await doubt.uncertain()).toEqual([]);
    await second.terminate();
    expect(doubt.sentTo()).toEqual(['twice@far.example', 'twice@far.example']);
  });
});

describe('a far end that falls silent after the final dot', () => {
  it.concurrent.for(shapes)(
    'leaves a message uncertain without any crash of the router: %s',
    async (shape, context) => {
      const { expect } = context;
      const doubt = await Doubt.open(context, shape, databases[0] as Kind);
      const first = await doubt.journey.start(shape);
      const kept = await doubt.send('holds', 'kept@far.example');
      // In two processes the gateway is killed, so that it cannot say what has happened either.
      if (shape === 'serve') await doubt.journey.gate.close();
      else await first.gateway.crash();
      await doubt.untilUncertain(1);
      expect(await doubt.history(kept)).toMatchObject({
        state: 'uncertain',
        attempt_list: [{ data_response: { code: 450 }, dot_sent_at: expect.any(String) }],
      });
      expect(await doubt.counted()).toEqual(['koukan_uncertain_total{sender="holds",cause="reply",policy="hold"} 1']);
      expect(doubt.sentTo()).toEqual(['kept@far.example']);
    },
  );
});
