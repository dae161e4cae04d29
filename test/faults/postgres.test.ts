/** PostgreSQL stands still, dies, or cannot write: what it does not answer for is promised to nobody, and nobody restarts Koukan. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { describe, it, type TestContext } from 'vitest';
import { Journey, type Shape, type Started, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { type PrivatePostgres, privatePostgres } from '../helpers/journey-postgres.ts';
import { EIO, FaultyMachine, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';
import { isPromise, kinds, Load, puttingOff } from './load.ts';

const whyNot = whyNoFaultyMachine();
leftOut(whyNot, 'No disk fails under PostgreSQL, which is killed and stopped all the same');

interface Ground {
  readonly postgres: PrivatePostgres;
  /** Under PostgreSQL. */
  readonly machine: FaultyMachine | undefined;
}

async function ground(context: TestContext): Promise<Ground> {
  const folder = await mkdtemp(path.join(tmpdir(), 'koukan-faults-'));
  context.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const machine = whyNot === undefined ? FaultyMachine.in(folder) : undefined;
  const postgres = await privatePostgres(context, { isDurable: true, folder, ...(machine && { env: machine.env }) });
  return { postgres, machine };
}

/** One Koukan on a database of its own, under load. */
interface Life {
  readonly journey: Journey;
  readonly shape: Shape;
  readonly started: Started;
  readonly load: Load;
  readonly takeAll: () => void;
}

async function live(context: TestContext, postgres: PrivatePostgres, shape: Shape): Promise<Life> {
  const client = new pg.Client(postgres.url);
  await client.connect();
  await client.query(`create database ${shape}`);
  await client.end();
  const url = new URL(postgres.url);
  url.pathname = `/${shape}`;
  const far = puttingOff();
  const times = { msaRcpt: 5, msaData: 10 };
  const journey = await Journey.open(context, { databaseUrl: url.href, far: far.script, times });
  await journey.run('db', 'init', '--url', url.href).exited;
  const started = await journey.start(shape);
  const load = Load.start(context, journey);
  await load.next(1);
  return { journey, shape, started, load, takeAll: far.takeAll };
}

/** Refused for now, with the right words, whatever needs the database; the rest goes on. */
async function refusesForNow({ expect }: TestContext, load: Load, fault: string): Promise<void> {
  const from = load.answers.length;
  await load.sees('app', /^HTTP 503 retry-after: \d+/, 2, from);
  await load.sees('stored', /^451 4\.3\.0 /, 2, from);
  const since = await load.next(1);
  const isFine = ({ kind, text }: (typeof since)[number]): boolean =>
    ({ app: /^HTTP 503 retry-after/, stored: /^451 4\.3\.0 /, through: /^250 / })[kind].test(text);
  expect(
    since.filter((answer) => !isFine(answer)),
    fault,
  ).toEqual([]);
}

async function recovers(load: Load): Promise<void> {
  const from = load.answers.length;
  for (const kind of kinds) await load.sees(kind, /^2|^HTTP 201/, 3, from);
}

describe.runIf(process.platform === 'linux')('a PostgreSQL that fails', { timeout: 60_000 }, () => {
  it('costs temporary errors and nothing else', async (context) => {
    const { expect } = context;
    const { postgres, machine } = await ground(context);
    const lives = await Promise.all(shapes.map((shape) => live(context, postgres, shape)));
    const each = (step: (load: Load) => Promise<void>): Promise<unknown> =>
      Promise.all(lives.map(({ load }) => step(load)));

    // Every sync takes as long as on a disk far away.
    machine?.fails({ syncMs: 50 });
    await each(async (load) => {
      const answers = await load.next(2);
      expect(
        answers.filter((answer) => !isPromise(answer)),
        'slow syncs',
      ).toEqual([]);
    });
    machine?.recovers();

    postgres.pause();
    // Who waits for it waits, and nobody else.
    await each((load) => load.sees('through', /^250 /, 5, load.answers.length));
    postgres.resume();
    await each(async (load) => {
      const answers = await load.next(1);
      expect(
        answers.filter((answer) => !isPromise(answer)),
        'slow',
      ).toEqual([]);
    });

    await postgres.kill();
    await each((load) => refusesForNow(context, load, 'killed'));
    await postgres.start();
    await each(recovers);

    // It ends itself rather than go on after a failed sync, and stays away while it cannot sync what it recovers.
    machine?.fails({ syncErrno: EIO });
    if (machine !== undefined) await each((load) => refusesForNow(context, load, 'a sync that fails'));
    await postgres.kill();
    machine?.recovers();
    await postgres.start();
    await each(recovers);
    expect(machine?.hits).not.toBe(0);

    const ends = lives.map(async ({ journey, shape, started, load, takeAll }) => {
      await load.end();
      takeAll();
      await load.arrives(journey);
      expect(await started.stop()).toEqual(started.processes.map(() => 0));
      // What is still to be done is done by the next life. A commit whose answer was lost may have been made: its client will send the message
      // again, so that is not to arrive. What the client did not wait for may.
      const again = await journey.start(shape);
      const { twice, unasked } = await load.account(journey);
      expect(await again.stop()).toEqual(again.processes.map(() => 0));
      const refused = new Set(load.answers.filter(({ text }) => /^451|^HTTP 503/.test(text)).map(({ rcpt }) => rcpt));
      expect({ twice, refused: unasked.filter((rcpt) => refused.has(rcpt)) }).toEqual({ twice: [], refused: [] });
      expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    });
    await Promise.all(ends);
  });
});
