/** A few kills under load, as a sample of what `node test/crash/run.mjs` (with `--routers`, too) does for longer. */
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { databases } from '../helpers/databases.ts';

const RUN = path.join(import.meta.dirname, 'run.mjs');

describe('koukan serve, killed under load', () => {
  it('delivers every message that it had promised, twice only across a kill', async () => {
    const { stdout } = await execa(process.execPath, [RUN, '--kills', '3', '--seed', '7', '--clients', '4'], {
      reject: false,
    });
    const account = JSON.parse(stdout) as { promised: number };
    expect(account).toMatchObject({ kills: 3, lost: [], unexplained: [] });
    expect(account.promised).toBeGreaterThanOrEqual(3);
  });
});

describe('routers and gateways on one PostgreSQL, killed, stopped and cut off under load', () => {
  it('deliver every message that one of them had promised, twice only across such a moment', async (context) => {
    const database = await databases.find(({ name }) => name === 'postgres')?.create();
    if (database === undefined) throw new Error('there is no PostgreSQL to test on');
    context.onTestFinished(() => database.drop());
    const flags = ['--routers', '3', '--kills', '4', '--seed', '5', '--clients', '4', '--postgres', database.url];
    const { stdout } = await execa(process.execPath, [RUN, ...flags], { reject: false });
    const account = JSON.parse(stdout) as { promised: number };
    expect(account).toMatchObject({ kills: 4, lost: [], unexplained: [] });
    expect(account.promised).toBeGreaterThanOrEqual(4);
  }, 120_000);
});
