/** The disk under an SQLite file fails: nothing is promised that is not on it, what was promised is delivered, and all goes on by itself. */
import Database from 'better-sqlite3';
import { describe, it, type TestContext } from 'vitest';
import { keep } from '../../src/lib/store/sqlite/kept.ts';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { BODIES, EIO, ENOSPC, EROFS, type Fault, FaultyMachine, MAIN, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';
import { type Answer, isPromise, type Kind, kinds, Load, puttingOff } from './load.ts';
import { smallDisk } from './small-disk.ts';

const whyNot = whyNoFaultyMachine();
leftOut(whyNot, 'No disk is made to fail by system calls; the other faults are tried');

interface DiskFault {
  readonly name: string;
  readonly fault: Fault;
  /** What a submission is told that would have to be stored. */
  readonly smtp: RegExp;
}

const LOCAL = /^451 4\.3\.0 /;
const FULL = /^452 4\.3\.1 /;

const faults: readonly DiskFault[] = [
  { name: 'a sync that fails', fault: { syncErrno: EIO }, smtp: LOCAL },
  { name: 'a sync that fails for want of space', fault: { syncErrno: ENOSPC }, smtp: /^45[12] 4\.3\.[01] / },
  { name: 'writes that fail', fault: { writeErrno: EIO }, smtp: LOCAL },
  { name: 'a full disk', fault: { writeErrno: ENOSPC }, smtp: FULL },
  {
    name: 'a disk that has become read-only',
    fault: { writeErrno: EROFS, openErrno: EROFS, syncErrno: EROFS },
    smtp: LOCAL,
  },
];

/** What needs the disk is refused in these words; what the far end takes at once needs none. */
function isFine({ kind, text }: Answer, smtp: RegExp): boolean {
  return { app: /^HTTP 503 retry-after: \d+/, stored: smtp, through: /^250 / }[kind].test(text);
}

async function sees(
  context: TestContext,
  load: Load,
  disk: DiskFault,
  machine: FaultyMachine,
  of: readonly Kind[] = kinds,
): Promise<void> {
  const { expect } = context;
  const { hits } = machine;
  machine.fails(disk.fault);
  const answers = await load.next(2, of);
  const wrong = answers.filter((answer) => !isFine(answer, disk.smtp));
  expect(wrong, disk.name).toEqual([]);
  expect(machine.hits, disk.name).toBeGreaterThan(hits);
  machine.recovers();
  await recovers(load, of);
}

async function recovers(load: Load, of: readonly Kind[] = kinds): Promise<void> {
  const from = load.answers.length;
  for (const kind of of) await load.sees(kind, /^2|^HTTP 201/, 3, from);
}

/** What had arrived when the router died, and of which the database says that it did not: it will come again, once. */
function arrivedUnrecorded({ sink, databaseUrl }: Journey): readonly string[] {
  const open = new Set(read(databaseUrl, (db) => keep(db.prepare(UNFINISHED)).pluck().all()));
  return sink.messages.map(({ rcptTo }) => rcptTo[0]?.address ?? '').filter((rcpt) => open.has(rcpt));
}

const UNFINISHED = 'select rcpt_address from transactions where final_outcome is null';

function read<T>(databaseUrl: string, ask: (db: Database.Database) => T): T {
  const db = keep(new Database(databaseUrl.replace('sqlite:///', ''), { readonly: true }));
  try {
    return ask(db);
  } finally {
    db.close();
  }
}

function isSound(databaseUrl: string): unknown {
  return read(databaseUrl, (db) => keep(db.prepare('pragma integrity_check')).pluck().get());
}

async function ground(context: TestContext) {
  const far = puttingOff();
  const journey = await Journey.open(context, { far: far.script, times: { msaRcpt: 5, msaData: 10 } });
  const machine = FaultyMachine.in(journey.folder);
  context.onTestFinished(() => machine.close());
  journey.env = machine.env;
  return { far, journey, machine };
}

/** `unrecorded`: what the far end had when the process died that could not write so down. It comes once more, not more often. */
async function accountFor(
  context: TestContext,
  journey: Journey,
  load: Load,
  takeAll: () => void,
  unrecorded: readonly string[] = [],
) {
  takeAll();
  const account = await load.account(journey);
  context.expect(account.promised).toBeGreaterThan(0);
  const { twice } = account;
  context.expect(twice.filter((rcpt, i) => !unrecorded.includes(rcpt) || twice.indexOf(rcpt) !== i)).toEqual([]);
  return account;
}

describe.runIf(whyNot === undefined)('a disk that fails under an SQLite file', () => {
  it.concurrent.for(shapes)('costs temporary errors and nothing else: %s', async (shape: Shape, context) => {
    const { expect } = context;
    const { far, journey, machine } = await ground(context);
    const started = await journey.start(shape);
    const load = Load.start(context, journey);
    await load.next(2);
    for (const fault of faults) await sees(context, load, fault, machine);
    machine.fails({ syncMs: 10 });
    expect(
      (await load.next(2)).filter((answer) => !isPromise(answer)),
      'slow',
    ).toEqual([]);
    await load.end();
    const { unasked } = await accountFor(context, journey, load, far.takeAll);
    expect(unasked).toEqual([]);
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    expect(isSound(journey.databaseUrl)).toBe('ok');
  });

  it.concurrent('and stands still is known after ten seconds: nobody waits for ever, and what was begun is decided', async (context) => {
    const { expect } = context;
    const { far, journey, machine } = await ground(context);
    const serve = await journey.serve();
    const load = Load.start(context, journey);
    await load.next(1);
    machine.fails({ syncMs: 20_000 });
    await load.sees('app', /^HTTP 503 retry-after: \d+/, 3);
    expect((await fetch(`${journey.routerUrl}/readyz`)).status).toBe(503);
    const from = load.answers.length;
    await load.sees('stored', LOCAL, 2);
    await load.sees('through', /^250 /, 2, from);
    machine.recovers();
    await recovers(load);
    expect((await fetch(`${journey.routerUrl}/readyz`)).status).toBe(200);
    await load.end();
    const { unasked } = await accountFor(context, journey, load, far.takeAll);
    // Who waited for the disk was told the truth.
    expect(unasked.filter((rcpt) => rcpt.startsWith('app'))).toEqual([]);
    expect(await serve.terminate()).toEqual({ code: 0, signal: null });
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    expect(isSound(journey.databaseUrl)).toBe('ok');
  });

  it.concurrent('and a crash while it fails lose nothing that was promised before', async (context) => {
    const { expect } = context;
    const { far, journey, machine } = await ground(context);
    const first = await journey.serve();
    const load = Load.start(context, journey, { kinds: ['stored', 'app'] });
    await load.next(2, ['stored', 'app']);
    machine.fails({ syncErrno: EIO });
    await load.sees('app', /^HTTP 503/, 2);
    await first.crash();
    await load.end();
    const unrecorded = arrivedUnrecorded(journey);
    machine.recovers();
    const second = await journey.serve();
    await accountFor(context, journey, load, far.takeAll, unrecorded);
    expect(await second.terminate()).toEqual({ code: 0, signal: null });
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    expect(isSound(journey.databaseUrl)).toBe('ok');
  });

  it.concurrent('where the write-ahead log cannot be moved to the file, all stays in the log', async (context) => {
    const { expect } = context;
    const { far, journey, machine } = await ground(context);
    const serve = await journey.serve();
    const load = Load.start(context, journey, { kinds: ['app'], sizeBytes: LARGE_BYTES });
    machine.fails({ syncErrno: EIO, only: MAIN });
    while (machine.hits === 0) await load.next(2, ['app']);
    await load.next(5, ['app']);
    expect(load.answers.filter((answer) => !isPromise(answer))).toEqual([]);
    await serve.crash();
    await load.end();
    const unrecorded = arrivedUnrecorded(journey);
    machine.recovers();
    const second = await journey.serve();
    await accountFor(context, journey, load, far.takeAll, unrecorded);
    expect(await second.terminate()).toEqual({ code: 0, signal: null });
    expect(isSound(journey.databaseUrl)).toBe('ok');
  });
});

/** What has to be on the disk, in a file of its own where the body is so large. */
const stored: readonly Kind[] = ['stored', 'app'];
const HUGE_BYTES = 1_000_000;

const bodyFaults: readonly DiskFault[] = [
  { name: 'a sync that fails', fault: { syncErrno: EIO, only: BODIES }, smtp: LOCAL },
  { name: 'a full disk', fault: { writeErrno: ENOSPC, only: BODIES }, smtp: FULL },
  {
    name: 'a disk that is full in the middle of a body',
    fault: { writeErrno: ENOSPC, only: BODIES, pastBytes: HUGE_BYTES / 2 + 1 },
    smtp: FULL,
  },
  { name: 'a disk that is read-only', fault: { openErrno: EROFS, only: BODIES }, smtp: LOCAL },
];

describe.runIf(whyNot === undefined)('a disk that fails under the files of large bodies beside an SQLite file', () => {
  it.concurrent('costs those messages temporary errors, no small one, and leaves nothing promised without its bytes', async (context) => {
    const { expect } = context;
    const { far, journey, machine } = await ground(context);
    const first = await journey.serve();
    const load = Load.start(context, journey, { kinds: stored, clients: 1, sizeBytes: HUGE_BYTES, name: 'huge' });
    const small = Load.start(context, journey, { kinds: ['app'], clients: 1 });
    await load.next(1, stored);
    for (const fault of bodyFaults) await sees(context, load, fault, machine, stored);
    expect(small.answers.filter((answer) => !isPromise(answer))).toEqual([]);
    await small.end();
    await first.crash();
    await load.end();
    const unrecorded = arrivedUnrecorded(journey);
    const second = await journey.serve();
    const { unasked } = await accountFor(context, journey, load, far.takeAll, unrecorded);
    const refused = new Set(load.answers.filter(({ text }) => !text.startsWith('lost')).map(({ rcpt }) => rcpt));
    expect(unasked.filter((rcpt) => rcpt.includes('-huge') && refused.has(rcpt))).toEqual([]);
    expect(await second.terminate()).toEqual({ code: 0, signal: null });
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    expect(isSound(journey.databaseUrl)).toBe('ok');
  });
});

const LARGE_BYTES = 156_000;

describe('a disk that is really full', () => {
  it.concurrent('costs temporary errors until there is room again', async (context) => {
    const { expect } = context;
    const far = puttingOff();
    const disk = smallDisk(context, 8);
    const databaseUrl = `sqlite:///${disk.folder}/koukan.sqlite`;
    const journey = await Journey.open(context, { databaseUrl, far: far.script, times: { msaRcpt: 5, msaData: 10 } });
    const serve = await journey.serve();
    disk.shrink(serve);
    const load = Load.start(context, journey, { sizeBytes: LARGE_BYTES });
    await load.sees('stored', /^4/);
    await load.sees('app', /^HTTP 503 retry-after: \d+/, 2);
    const smtp = disk.kind === 'tmpfs' ? FULL : LOCAL;
    await load.sees('stored', smtp);
    const from = load.answers.length;
    await load.sees('through', /^250 /, 3, from);
    const wrong = load.answers.filter((answer) => !isPromise(answer) && !isFine(answer, /^45[12] 4\.3\.[01] /));
    expect(wrong).toEqual([]);
    disk.grow(serve);
    await recovers(load);
    await load.end();
    const { unasked } = await accountFor(context, journey, load, far.takeAll);
    expect(unasked).toEqual([]);
    expect(await serve.terminate()).toEqual({ code: 0, signal: null });
    expect(await unfinished(databaseUrl)).toEqual(NOTHING_LEFT);
    expect(isSound(databaseUrl)).toBe('ok');
  });
});
