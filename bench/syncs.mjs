/** How often processes have the kernel sync a file to disk, counted by `perf` where it is there and may (Linux, root). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { treeOf } from './process-usage.mjs';

const CALLS = ['fsync', 'fdatasync', 'sync_file_range', 'msync'];
/** perf does not say when it has begun to count. */
const ATTACH_MS = 500;

/** What `act` (a run) needs, in calls per delivered message; `undefined` where nobody can count them. */
export async function countSyncs(roots, act) {
  const events = CALLS.map((call) => `syscalls:sys_enter_${call}`).join(',');
  const perf = spawn('perf', ['stat', '-x', ';', '-e', events, '-p', treeOf(roots).join(',')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let said = '';
  perf.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const end = once(perf, 'close').catch(() => undefined);
  await sleep(ATTACH_MS);
  const { delivered } = await act();
  perf.kill('SIGINT');
  await end;
  const counts = CALLS.map((call) => new RegExp(`^(\\d+);;syscalls:sys_enter_${call};`, 'm').exec(said)?.[1]);
  if (counts[0] === undefined || delivered === 0) return undefined;
  const calls = counts.reduce((sum, count) => sum + Number(count ?? 0), 0);
  return { syncs_per_message: Number((calls / delivered).toFixed(3)), counted_by: 'perf', delivered };
}
