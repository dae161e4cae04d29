/** The disk fails, or the process dies, while the write-ahead log of SQLite is copied into the file: what was promised is in one of the two. */
import { closeSync, ftruncateSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import Database from 'better-sqlite3';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SqliteDatabase } from '../../src/lib/store/sqlite/connection.ts';
import { keep } from '../../src/lib/store/sqlite/kept.ts';
import { EIO, FaultyMachine, MAIN, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';

const whyNot = whyNoFaultyMachine();
leftOut(whyNot, 'No copy of the log is made to fail');

/** For each line creates so many transactions, 40 kB each, one after the other, and prints the ids it was promised, or why not, then `done`. */
const CREATE_ON_DEMAND = `
  import { createInterface } from 'node:readline';
  import { openStore } from './dist/lib/store/open.js';
  import { memoryBody } from './dist/lib/core/body.js';
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const clock = { now: () => 1000, monotonicMs: () => 1000, sleep: () => new Promise(() => {}), after: () => () => {} };
  const store = await openStore({ url: process.env.URL_TO_FILL, clock, log, autoMigrate: true });
  const record = { sender: 's', origin: {}, rcptTo: [], retry: true, notification: true, createdAt: 1, filterOutput: {} };
  let i = 0;
  for await (const line of createInterface({ input: process.stdin })) {
    for (const end = i + Number(line); i < end; i += 1) {
      const body = memoryBody(Buffer.alloc(40_000, 'x'));
      const tx = { record: { ...record, id: 'tx' + i }, attempts: [], next: { kind: 'due', at: 1 },
        blobs: [{ name: 'body', source: { kind: 'body', body } }] };
      console.log(await store.create([tx], 1000).then(() => tx.record.id, String));
    }
    console.log('done');
  }
  await store.close();`;

function start(env: Readonly<Record<string, string>>) {
  const options = { env, reject: false, buffer: false } as const;
  return execa(process.execPath, ['--input-type=module', '-e', CREATE_ON_DEMAND], options);
}

/** So many of them fill the log twice over. */
const MANY = 1000;

describe.runIf(whyNot === undefined)('while the log is copied into the file', () => {
  let folder: string;
  let file: string;
  let machine: FaultyMachine;
  let child: ReturnType<typeof start>;
  let lines: AsyncIterator<string>;
  let promised: string[];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'koukan-copy-'));
    file = join(folder, 'mail.sqlite');
    machine = FaultyMachine.in(folder);
    promised = [];
    child = start({ ...machine.env, URL_TO_FILL: `sqlite:///${file}` });
    lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  });

  afterEach(async () => {
    child.kill('SIGKILL');
    await child;
    machine.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Until all are promised, or `enough` says so. */
  async function create(count: number, enough: () => boolean = () => false): Promise<void> {
    child.stdin?.write(`${count}\n`);
    for (let line = await lines.next(); line.value !== 'done'; line = await lines.next()) {
      if (line.done === true) throw new Error('the child has ended');
      promised.push(line.value);
      if (enough()) return;
    }
  }

  function open(): SqliteDatabase {
    return keep(new Database(file));
  }

  function accountFor(): void {
    const db = open();
    const there = new Set(keep(db.prepare('select id from transactions')).pluck().all());
    expect(promised.filter((id) => !there.has(id))).toEqual([]);
    expect(keep(db.prepare('select count(*) from blobs where length = 40000')).pluck().get()).toBe(there.size);
    expect(keep(db.prepare('pragma integrity_check')).pluck().get()).toBe('ok');
    db.close();
  }

  it('others are promised their messages, and a kill loses none of them', async () => {
    await create(20);
    machine.fails({ syncMs: 1000, only: MAIN });
    await create(MANY, () => promised.length === 600);
    child.kill('SIGKILL');
    await child;
    accountFor();
  }, 60_000);

  it('what is refused because its sync fails does not turn up, though nobody has read from the file before', async () => {
    await create(3);
    machine.fails({ syncErrno: EIO });
    await create(1);
    expect(promised.pop()).toContain('disk I/O error');
    machine.recovers();
    await create(3);
    accountFor();
    const db = open();
    expect(keep(db.prepare('select id from transactions order by id')).pluck().all()).toEqual(promised);
    db.close();
  });

  /** What had been written to the file since `before` was taken, and not been synced, has not reached the disk. */
  function lose(before: Buffer): void {
    const fd = openSync(file, 'r+');
    writeSync(fd, before);
    ftruncateSync(fd, before.length);
    closeSync(fd);
  }

  it('a sync of the file that fails loses nothing: all that was copied before is copied again', async () => {
    await create(100);
    const reader = open();
    reader.exec('begin');
    keep(reader.prepare('select count(*) from transactions')).get();
    await create(20);
    const synced = readFileSync(file);
    // Of the log only the beginning can be copied, and counts as copied without a sync.
    await create(600);
    reader.close();
    const { hits } = machine;
    machine.fails({ syncErrno: EIO, only: MAIN });
    while (machine.hits === hits) await create(100);
    await create(1);
    lose(synced);
    machine.recovers();
    await create(MANY);
    child.stdin?.end();
    expect(await child).toMatchObject({ exitCode: 0 });
    expect(await readdir(folder)).toEqual(expect.not.arrayContaining(['mail.sqlite-wal']));
    accountFor();
    expect(statSync(file).size).toBeGreaterThan(MANY * 40_000);
  }, 60_000);
});
