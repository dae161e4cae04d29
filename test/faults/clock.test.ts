/** Somebody sets the wall clock by hours, forth and back: no wait ends early, none lasts for hours, nothing is lost or sent twice. */
import { describe, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { postgres, sqlite } from '../helpers/databases.ts';
import { Journey } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, sendSmtp } from '../helpers/journey-mail.ts';
import { FaultyMachine, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';
import { isPromise, kinds, Load } from './load.ts';

const HOUR = 3_600_000;
const whyNot = whyNoFaultyMachine();
leftOut(whyNot, 'No wall clock is set');

/** The state is in an SQLite file, or in PostgreSQL, whose own clock is not that of Koukan. */
const places = [
  ['serve', 'sqlite'],
  ['split', 'sqlite'],
  ['split', 'postgres'],
] as const;

describe.runIf(whyNot === undefined)('a wall clock that is set by hours', { timeout: 60_000 }, () => {
  it.concurrent.for(places)('ends no wait and prolongs none: %s, %s', async ([shape, engine], context) => {
    const { expect } = context;
    let isAway = true;
    const database = await (engine === 'postgres' ? postgres : sqlite).create();
    context.onTestFinished(() => database.drop());
    const journey = await Journey.open(context, {
      databaseUrl: database.url,
      times: { sessionRefresh: 1, sessionTtl: 10 },
      far: (stage, address) =>
        isAway && stage === 'rcpt' && address.startsWith('stored') ? reply(450, '4.2.0', 'not now') : undefined,
    });
    const machine = FaultyMachine.in(journey.folder);
    context.onTestFinished(() => machine.close());
    journey.env = machine.env;
    if (engine === 'postgres') await journey.run('db', 'init', '--url', database.url).exited;
    const started = await journey.start(shape);
    const load = Load.start(context, journey);
    await load.next(1);
    const { mx } = journey.ports;
    const url = journey.routerUrl;
    const put = (location: string, bytes: string, from: number, total: number): Promise<Response> =>
      fetch(`${location}/body`, {
        method: 'PUT',
        body: bytes,
        headers: { 'content-range': `bytes ${from}-${from + bytes.length - 1}/${total}` },
      });

    for (const clockMs of [5 * HOUR, -5 * HOUR, 0]) {
      // One message lies with the far end, whose answer is not here yet; one is here by half.
      journey.gate.hold('message accepted');
      const waiting = sendSmtp(context, { port: mx, rcpts: [`waiting-${clockMs}@far.example`] });
      await journey.gate.held();
      const upload = await createRest({ url, rcpt: `half-${clockMs}@far.example` });
      expect((await put(upload.location, 'Subject: half', 0, 27)).status).toBe(200);

      machine.fails({ clockMs });
      journey.gate.release();
      expect((await waiting).data).toMatch(/^250 /);
      expect((await put(upload.location, '\r\n\r\nrest of it', 13, 27)).status).toBe(200);
      const answers = await load.next(3);
      expect(answers.filter((answer) => !isPromise(answer))).toEqual([]);
      expect(answers.filter(({ ms }) => ms > 20_000)).toEqual([]);
    }
    for (const kind of kinds) await load.sees(kind, /^2|^HTTP 201/);
    await load.end();
    isAway = false;
    const account = await load.account(journey);
    const others = ['waiting', 'half'].flatMap((name) => [5, -5, 0].map((h) => `${name}-${h * HOUR}@far.example`));
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(account.twice.filter((rcpt) => rcpt.endsWith('@far.example'))).toEqual([]);
    expect(account.unasked).toEqual(expect.arrayContaining(others));
    // Apart from reports to the sender that messages are late, which seemed hours old.
    expect(account.unasked.filter((rcpt) => rcpt.endsWith('@far.example'))).toHaveLength(others.length);
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });
});
