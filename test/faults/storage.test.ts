/** The disk under an SQLite file fails: nothing is promised that is not on it, what was promised is delivered, and all goes on by itself. */
import Database from 'better-sqlite3';
import { describe, it, type TestContext } from 'vitest';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { EIO, ENOSPC, EROFS, type Fault, FaultyMachine, whyNoFaultyMachine } from './faulty-machine.ts';
import { isPromise, kinds, Load, puttingOff } from './load.ts';

const whyNot = whyNoFaultyMachine();
if (whyNot !== undefined)
  console.warn(`No disk is made to fail by system calls: ${whyNot}. The other faults are tried.`);

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

async function sees(
  context: TestContext,
  load: Load,
  { name, smtp, fault }: DiskFault,
  machine: FaultyMachine,
): Promise<void> {
  const { expect } = context;
  const { hits } = machine;
  machine.fails(fault);
  const answers = await load.next(2);
  const wrong = answers.filter((answer) =>
    answer.kind === 'through'
      ? !isPromise(answer)
      : !(answer.kind === 'app' ? /^HTTP 503 retry-after: \d+/ : smtp).test(answer.text),
  );
  expect(wrong, name).toEqual([]);
  expect(machine.hits, name).toBeGreaterThan(hits);
  machine.recovers();
  const from = load.answers.length;
  for (const kind of kinds) await load.sees(kind, /^2|^HTTP 201/, 3, from);
}

function isSound(databaseUrl: string): unknown {
  const db = new Database(databaseUrl.replace('sqlite:///', ''), { readonly: true });
  try {
    return db.pragma('integrity_check', { simple: true });
  } finally {
    db.close();
  }
}

async function ground(context: TestContext) {
  const far = puttingOff();
  const journey = await Journey.open(context, { far: far.script, times: { msaRcpt: 5, msaData: 10 } });
  const machine = FaultyMachine.in(journey.folder);
  context.onTestFinished(() => machine.close());
  journey.env = machine.env;
  return { far, journey, machine };
}

describe.runIf(whyNot === undefined)('a disk that fails under an SQLite file', () => {
  it.concurrent.for(shapes)('costs temporary errors and nothing else: %s', async (shape: Shape, context) => {
    const { expect } = context;
    const { far, journey, machine } = await ground(context);
    const started = await journey.start(shape);
    const load = Load.start(context, journey);
    await load.next(2);
    for (const fault of faults) await sees(context, load, fault, machine);
    await load.end();
    far.takeAll();
    const account = await load.account(
      () => journey.sink.messages,
      (count) => journey.sink.received(count),
    );
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(account).toEqual({ promised: expect.any(Number), twice: [], unasked: [] });
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    expect(isSound(journey.databaseUrl)).toBe('ok');
  });
});
