/**
 * Kills programs and databases under load, again and again at points that a seed chooses, and accounts for every promise: what was answered 250
 * or 201 arrives, and arrives twice only when a kill lies between (RFC 5321 §4.5.5: after the dot, before its answer is recorded); with the
 * policies `hold` and `ask` it never does. Nothing is left in the queue at the end.
 *
 *   node test/crash/run.mjs [--kills 30] [--seed 1] [--clients 8] [--engine sqlite|postgres|both] [--shape serve|split|both]
 *     [--policy retry|hold|ask] [--routers 3] [--gateways 2] [--postgres URL]
 *
 * after `npm run build`; prints one JSON object for each engine and shape, exits 1 for a loss, for something stuck, or for a duplicate without a
 * reason. `--routers N` is a cluster: shape `split` on PostgreSQL.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.mjs';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '30' },
    seed: { type: 'string', default: '1' },
    clients: { type: 'string', default: '8' },
    engine: { type: 'string', default: 'both' },
    shape: { type: 'string', default: 'both' },
    policy: { type: 'string', default: 'retry' },
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
      const { seed, clients, kills, policy, postgres, gateways, routers = engine === 'postgres' ? '2' : '1' } = values;
      const numbers = { seed, clients, kills, routers, gateways };
      const counts = Object.fromEntries(Object.entries(numbers).map(([name, text]) => [name, Number(text)]));
      const account = await new Cluster({ ...counts, engine, shape, policy, postgres }).run(folder);
      process.stdout.write(`${JSON.stringify(account)}\n`);
      const isDuplicated = policy === 'retry' ? account.unexplained.length > 0 : account.twice > 0;
      if (account.lost.length + account.stuck.length > 0 || isDuplicated) process.exitCode = 1;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
