/** No file descriptor is left: who is there is served, or told to come again, nobody is promised what is not kept, and it passes. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, it, type TestContext } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { Journey, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import type { KoukanProcess } from '../helpers/process.ts';
import { leftOut } from './left-out.ts';
import { isPromise, kinds, Load, puttingOff } from './load.ts';

/** What a process in order may still open; the clients that come in one go are many more. */
const SPARE = 6;
const CROWD = 60;

function hasPrlimit(): boolean {
  try {
    execFileSync('prlimit', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const whyNot = process.platform === 'linux' && hasPrlimit() ? undefined : 'there is no prlimit of util-linux';
leftOut(whyNot, 'No process is left without descriptors');

function limitDescriptors({ pid }: KoukanProcess): void {
  const open = readdirSync(`/proc/${pid}/fd`).length;
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${open + SPARE}:`]);
}

/** Clients that connect and do nothing; those that are not taken are closed, or wait. */
async function crowd(context: TestContext, port: number): Promise<{ leave(): Promise<void> }> {
  const sockets: Socket[] = [];
  for (let i = 0; i < CROWD; i += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.resume();
    sockets.push(socket);
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]);
  }
  const leave = async (): Promise<void> => {
    const closed = sockets.filter(({ closed }) => !closed).map((socket) => once(socket, 'close'));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  };
  context.onTestFinished(leave);
  return { leave };
}

describe.runIf(whyNot === undefined)('a process without free descriptors', { timeout: 60_000 }, () => {
  it.concurrent.for(shapes)('refuses for now, lives, and recovers: %s', async (shape, context) => {
    const { expect } = context;
    const far = puttingOff();
    // A conversation whose opening was not answered is opened anew; nobody comes back to the first, and a stop would wait for its client.
    const journey = await Journey.open(context, { far: far.script, times: { gatewayTxTtl: 5 } });
    const started = await journey.start(shape);
    const loads = [
      Load.start(context, journey),
      Load.start(context, journey, { kinds: ['through'], clients: 1, sizeBytes: limits.bodyHeldBytes, name: 'large' }),
      // Beside SQLite each of these needs a file.
      Load.start(context, journey, { kinds: ['app'], clients: 1, sizeBytes: 2 * limits.bodyInRowBytes, name: 'filed' }),
    ] as const;
    const [load, , filed] = loads;
    await load.next(2);
    await filed.next(1, ['app']);
    for (const child of started.processes) limitDescriptors(child);
    const crowds = [await crowd(context, journey.ports.mx), await crowd(context, journey.ports.router)];
    const from = load.answers.length;
    for (const kind of ['stored', 'through'] as const) await load.sees(kind, /^4\d\d 4|^lost/, 3, from);
    // An application that has its connection keeps it; what it hands in is stored, and waits as all deliveries do.
    await load.sees('app', /^HTTP 201/, 3, from);
    if (shape === 'serve') await filed.sees('app', /^HTTP 503 retry-after: \d+/, 2);
    expect(started.processes.map(({ hasEnded }) => hasEnded)).toEqual(started.processes.map(() => false));
    const told = new Set(
      load.answers
        .slice(from)
        .filter((answer) => !isPromise(answer))
        .map(({ text }) => text),
    );
    expect([...told].filter((text) => !/^4\d\d 4\.|^HTTP 503|^lost/.test(text))).toEqual([]);
    for (const each of crowds) await each.leave();
    const free = load.answers.length;
    for (const kind of kinds) await load.sees(kind, /^2|^HTTP 201/, 3, free);
    await Promise.all(loads.map((each) => each.end()));
    far.takeAll();
    for (const each of loads) {
      const { twice } = await each.account(journey);
      expect(twice).toEqual([]);
    }
    expect(await started.stop()).toEqual(started.processes.map(() => 0));
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });
});
