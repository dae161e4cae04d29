/** A few kills under load, as a sample of what `node test/crash/run.mjs` does for longer. */
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

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
