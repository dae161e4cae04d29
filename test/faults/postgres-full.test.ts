/**
 * PostgreSQL has no room for another page of a table: what would have to be stored is refused for now and in words that say why, what the far
 * end takes at once goes on, and with room again all goes on by itself. Nothing is restarted.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { describe, it, type TestContext } from 'vitest';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { privatePostgres } from '../helpers/journey-postgres.ts';
import { ENOSPC, FaultyMachine, TABLES, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';
import { type Answer, isPromise, kinds, Load, puttingOff } from './load.ts';
import { mayMount, ownDisk } from './small-disk.ts';

/** The disk under PostgreSQL. */
interface Disk {
  readonly folder: string;
  readonly env?: Readonly<Record<string, string>>;
  fill(): void;
  empty(): void;
}

/** A disk that may be mounted, or else one whose system calls fail. */
const isOwn = mayMount();
const whyNot = isOwn ? undefined : whyNoFaultyMachine();
leftOut(whyNot, 'The disk under PostgreSQL is not full');

async function failingDisk(context: TestContext): Promise<Disk> {
  const folder = await mkdtemp(path.join(tmpdir(), 'koukan-faults-'));
  context.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  await chmod(folder, 0o755);
  const machine = FaultyMachine.in(folder);
  context.onTestFinished(() => machine.close());
  return {
    folder,
    env: machine.env,
    fill: () => machine.fails({ writeErrno: ENOSPC, only: TABLES }),
    empty: () => machine.recovers(),
  };
}

/** Large enough that tables grow soon. */
const SIZE_BYTES = 60_000;

const isRefusal = ({ kind, text }: Answer): boolean =>
  kind === 'app' ? /^HTTP 503 retry-after: \d+/.test(text) : kind === 'stored' && /^452 4\.3\.1 /.test(text);

/** One Koukan on a database of its own, under load. */
async function live(context: TestContext, serverUrl: string, shape: Shape) {
  const url = Object.assign(new URL(serverUrl), { pathname: `/${shape}` });
  const client = new pg.Client(serverUrl);
  await client.connect();
  await client.query(`create database ${shape}`);
  await client.end();
  const far = puttingOff();
  const times = { msaRcpt: 5, msaData: 10 };
  const journey = await Journey.open(context, { databaseUrl: url.href, far: far.script, times });
  await journey.run('db', 'init', '--url', url.href).exited;
  const started = await journey.start(shape);
  const load = Load.start(context, journey, { clients: 1, sizeBytes: SIZE_BYTES });
  await load.next(1);
  return { far, journey, started, load };
}

async function endsWell(context: TestContext, { far, journey, started, load }: Awaited<ReturnType<typeof live>>) {
  const { expect } = context;
  await load.end();
  // A page here and there had room left: not everything is refused, but nothing in other words.
  expect(load.answers.filter((answer) => !isPromise(answer) && !isRefusal(answer))).toEqual([]);
  far.takeAll();
  const { twice, unasked } = await load.account(journey);
  expect({ twice, unasked }).toEqual({ twice: [], unasked: [] });
  expect(await started.stop()).toEqual(started.processes.map(() => 0));
  expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
}

describe.runIf(whyNot === undefined)('a PostgreSQL without space', { timeout: 60_000 }, () => {
  it('refuses for now, and recovers by itself', async (context) => {
    const disk = isOwn ? ownDisk(context) : await failingDisk(context);
    // One file of the write-ahead log is enough for all: tables are what cannot grow.
    const postgres = await privatePostgres(context, { isDurable: true, ...disk, initdbFlags: ['--wal-segsize=64'] });
    const lives = await Promise.all(shapes.map((shape) => live(context, postgres.url, shape)));
    const each = (step: (load: Load) => Promise<void>): Promise<unknown> =>
      Promise.all(lives.map(({ load }) => step(load)));

    disk.fill();
    await each(async (load) => {
      const from = load.answers.length;
      await load.sees('app', /^HTTP 503/, 2, from);
      await load.sees('stored', /^4/, 2, from);
      await load.sees('through', /^250 /, 2, from);
    });
    disk.empty();
    await each(async (load) => {
      const from = load.answers.length;
      for (const kind of kinds) await load.sees(kind, /^2|^HTTP 201/, 3, from);
    });
    await Promise.all(lives.map((life) => endsWell(context, life)));
  });
});
