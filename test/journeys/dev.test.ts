/** `koukan dev`: the whole local environment, on the fixed ports that are its own. */
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Journey } from '../helpers/journey.ts';

describe('koukan dev', () => {
  it.for([
    ['in one process', []],
    ['as two halves over HTTP', ['--split']],
  ] as const)('--check sends four messages, sees them arrive, and leaves nothing: %s', async ([, flags], context) => {
    const journey = await Journey.open(context);
    const dev = journey.run('dev', '--check', ...flags);
    expect(await dev.exited).toEqual({ code: 0, signal: null });
    expect(dev.stderr).toBe('');
    expect(dev.stdout.trimEnd().split('\n')).toEqual(
      ['SMTP → SMTP', 'SMTP → application', 'submission → SMTP', 'REST → SMTP'].map((title) =>
        expect.stringMatching(new RegExp(`^ok +${title} .*: arrived at `)),
      ),
    );
    expect(await readdir(journey.temporaryFolder)).toEqual([expect.stringMatching(/^koukan-spool-/)]);
  });

  it.for([
    [3025, 'the SMTP sink'],
    [8000, '8000'],
    [1025, '1025'],
  ] as const)('says which port is in use, and exits with 78: %d', async ([port, words], context) => {
    const journey = await Journey.open(context);
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    try {
      const dev = journey.run('dev', '--check');
      expect(await dev.exited).toEqual({ code: 78, signal: null });
      expect(dev.stdout).toBe('');
      expect(dev.stderr).toContain('in use');
      expect(dev.stderr).toContain(words);
      expect(dev.stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(await readdir(journey.temporaryFolder)).not.toContain(expect.stringMatching(/^koukan-dev-/));
    } finally {
      other.close();
    }
  });
});
