/**
 * Disturbs programs and databases under load, again and again at points that a seed chooses, and accounts for every promise: what was answered 250
 * or 201 arrives with each of its bytes, or its sender is told; it arrives twice only when a kill lies between (RFC 5321 §4.5.5: after the
 * dot, before its answer is recorded); with the policies `hold` and `ask` it never does. Nothing is left in the queue at the end, no program ends
 * that nobody ended, and nobody waits for a promise for a minute.
 *
 *   node test/crash/run.mjs [--kills 30] [--seed 1] [--clients 8] [--engine sqlite|postgres|both] [--shape serve|split|both]
 *     [--policy retry|hold|ask] [--between 30] [--gc SECONDS] [--routers 3] [--gateways 2] [--postgres URL]
 *
 * after `npm run build`; prints one JSON object for each engine and shape, whose `faults` name what is wrong with it, and exits 1 when there are any.
 * `--between N`: up to so many promises from one kill to the next, so that queues grow and programs become old. `--gc`: what is finished is
 * forgotten after so many seconds. `--routers N` is a cluster: shape `split` on PostgreSQL. Of a router that was only slow, as a busy
 * machine is, and was taken for dead, `takenForDead` tells: what it had sent in that moment goes out again, as after a kill.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.mjs';
import { faultsOf } from './verdict.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
    engine: { type: 'string', default: 'both' },
    shape: { type: 'string', default: 'both' },
    policy: { type: 'string', default: 'retry' },
    between: { type: 'string', default: '30' },
    gc: { type: 'string' },
    routers: { type: 'string' },
    gateways: { type: 'string', default: '2' },
    postgres: { type: 'string' },
  },
});

const isCluster = values.routers !== undefined;
const engines = isCluster ? ['postgres'] : values.engine === 'both' ? ['sqlite', 'postgres'] : [values.engine];
const shapes = isCluster ? ['split'] : values.shape === 'both' ? ['serve', 'split'] : [values.shape];

for (const engine of engines) {
  for (const shape of shapes) {
    const folder = await mkdtemp(path.join(tmpdir(), 'koukan-crash-'));
    try {
      const { seed, clients, kills, between, policy, postgres, gateways } = values;
      const { routers = engine === 'postgres' ? '2' : '1', gc } = values;
      const numbers = { seed, clients, kills, between, routers, gateways, ...(gc && { gcSeconds: gc }) };
      const counts = Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)]));
      const account = await new Cluster({ ...counts, engine, shape, policy, postgres }).run(folder);
      const faults = faultsOf(account, { kills: counts.kills, policy });
      process.stdout.write(`${JSON.stringify({ ...account, faults })}\n`);
      if (faults.length > 0) process.exitCode = 1;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
