/** `koukan dev`: the whole local environment, on the fixed ports that are its own. */
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
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

  it('ends with Ctrl-C as soon as it says so, and leaves nothing; it prints commands that work where it was started', async (context) => {
    const journey = await Journey.open(context);
    const dev = journey.run('dev');
    await dev.until('Ctrl-C ends it');
    dev.kill('SIGINT');
    expect(await dev.exited).toEqual({ code: 0, signal: null });
    expect(dev.stderr).toBe('');
    const [builder] = /[^ ]+message-builder\.json/.exec(dev.stdout) ?? [];
    expect(existsSync(path.resolve(journey.folder, builder as string))).toBe(true);
    expect(await readdir(journey.temporaryFolder)).toEqual([expect.stringMatching(/^koukan-spool-/)]);
  });

  it('--check ends with 75 when a signal interrupts it, and leaves nothing', async (context) => {
    const journey = await Journey.open(context);
    const dev = journey.run('dev', '--check');
    await dev.until('arrived at ');
    dev.kill('SIGINT');
    expect(await dev.exited).toEqual({ code: 75, signal: null });
    expect(await readdir(journey.temporaryFolder)).toEqual([expect.stringMatching(/^koukan-spool-/)]);
  });

  it.for([
    [3025, 'the SMTP sink'],
    [8000, '8000'],
    [1025, '1025'],
  ] as const)('says which port is in use, and exits with 69: %d', async ([port, words], context) => {
    const journey = await Journey.open(context);
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    try {
      const dev = journey.run('dev', '--check');
      expect(await dev.exited).toEqual({ code: 69, signal: null });
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
