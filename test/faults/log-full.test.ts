/** What the log goes to is full: mail goes on, and the log, too, as soon as there is room. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ENOSPC, FaultyMachine, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';

const whyNot = whyNoFaultyMachine();
leftOut(whyNot, 'No log is on a disk that is full');

/** For each line `FIRST COUNT` logs COUNT lines with running numbers from FIRST, 1 kB each, and prints `done`; at the end, how many are lost. */
const LOG_ON_DEMAND = `
  import { createInterface } from 'node:readline';
  import { createLog } from './dist/lib/ops/log.js';
  import { LogOutput } from './dist/lib/ops/log-output.js';
  const log = createLog({ level: 'info', format: 'json' });
  for await (const line of createInterface({ input: process.stdin })) {
    const [first, count] = line.split(' ').map(Number);
    for (let n = first; n < first + count; n += 1) log.info({ n, filler: 'x'.repeat(1000) }, 'a line');
    console.log('done');
  }
  console.log('lost ' + LogOutput.linesLost);`;

describe.runIf(whyNot === undefined)('a log on a disk that is full', () => {
  it('keeps what is said meanwhile, up to a megabyte, and tells how much was lost', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'koukan-log-'));
    const machine = FaultyMachine.in(folder);
    const file = join(folder, 'log');
    const fd = openSync(file, 'a');
    const child = spawn(process.execPath, ['--input-type=module', '-e', LOG_ON_DEMAND], {
      env: { ...process.env, ...machine.env },
      stdio: ['pipe', 'pipe', fd],
    });
    const ended = once(child, 'exit');
    onTestFinished(async () => {
      child.kill('SIGKILL');
      await ended;
      closeSync(fd);
      machine.close();
      await rm(folder, { recursive: true, force: true });
    });
    const answers = createInterface({ input: child.stdout as Readable })[Symbol.asyncIterator]();
    const say = async (first: number, count: number): Promise<void> => {
      child.stdin?.write(`${first} ${count}\n`);
      expect((await answers.next()).value).toBe('done');
    };
    const logged = () =>
      readFileSync(file, 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));

    await say(1, 1);
    machine.fails({ writeErrno: ENOSPC });
    await say(2, 10);
    expect(logged()).toHaveLength(1);
    machine.recovers();
    await say(12, 1);
    expect(logged().map(({ n }) => n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);

    machine.fails({ writeErrno: ENOSPC });
    await say(13, 2000);
    machine.recovers();
    await say(2013, 1);
    await say(2014, 1);
    const lines = logged();
    const kept = lines.flatMap(({ n }) => (n >= 13 && n < 2013 ? [n] : []));
    expect(kept.length).toBeGreaterThan(900);
    expect(kept).toEqual(kept.map((_, i) => 13 + i));
    const told = lines.filter(({ text }) => text !== 'a line');
    expect(told).toEqual([
      expect.objectContaining({ level: 'warn', text: 'lines of the log were lost: they could not be written' }),
    ]);
    expect(kept.length + told[0].lines).toBe(2000);
    // The first line after it finds the room that it makes.
    expect(lines.slice(-2).map(({ n }) => n)).toEqual([2013, 2014]);
    child.stdin?.end();
    expect((await answers.next()).value).toBe(`lost ${told[0].lines}`);
  });
});
