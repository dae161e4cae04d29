/** Samples of what processes do while they work, taken by `perf`. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SCRIPT_ARGS, stacksIn } from './stacks.mjs';

/** Odd, so that it does not keep step with anything that happens a thousand times a second. */
const HERTZ = 1997;
/** perf does not say when it has begun. */
const ATTACH_MS = 500;
const RECORD = ['record', '--quiet', '-e', 'cpu-clock', '-F', String(HERTZ), '-g'];

/** Resolves with why there can be no profile; `undefined` when there can. */
export async function whyNoPerf(dir) {
  const file = path.join(dir, 'try.perf');
  const perf = spawn('perf', [...RECORD, '-o', file, '--', process.execPath, '--version'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const [said, [failed]] = await Promise.all([textOf(perf.stderr), endOf(perf)]);
  if (failed instanceof Error) return `perf does not start: ${failed.message}`;
  return failed === 0 ? undefined : `perf does not work: ${said.trim()}`;
}

/** Resolves with what `act` does, after all samples of it are in `file`. */
export async function record(pids, file, act) {
  const args = [...RECORD, '-o', file, '-p', pids.join(',')];
  const perf = spawn('perf', args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const said = textOf(perf.stderr);
  const end = endOf(perf);
  await sleep(ATTACH_MS);
  try {
    return await act();
  } finally {
    perf.kill('SIGINT');
    const [code, signal] = await end;
    if (code !== 0 && signal !== 'SIGINT') process.stderr.write(await said);
  }
}

/** The stacks in a file that `record` wrote, while the processes' names of functions are there. */
export async function* stacksOf(file) {
  const perf = spawn('perf', ['script', '-i', file, ...SCRIPT_ARGS], { stdio: ['ignore', 'pipe', 'ignore'] });
  const end = endOf(perf);
  yield* stacksIn(createInterface({ input: perf.stdout }));
  const [code] = await end;
  if (code !== 0) throw new Error(`perf script ended with ${code}`);
}

async function textOf(stream) {
  let text = '';
  for await (const piece of stream.setEncoding('utf8')) text += piece;
  return text;
}

/** Code and signal; an `Error` instead of the code when it did not start. */
const endOf = (child) => once(child, 'close').catch((error) => [error]);
