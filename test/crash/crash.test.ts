/** A few kills under load, as a sample of what `npm run crash` does for longer, on both engines and in both shapes. */
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it, type TestContext, vi } from 'vitest';
import { databases } from '../helpers/databases.ts';
import { FIGURES } from './help.mjs';

/** Several lives of several processes, on a machine that may have other work. */
vi.setConfig({ testTimeout: 240_000 });

const RUN = path.join(import.meta.dirname, 'run.mjs');

interface Account {
  readonly kills: number;
  readonly promised: number;
  readonly twice: number;
}

/** A database of the PostgreSQL that all tests share: its connections are cut, since it cannot be killed. */
async function postgres(context: TestContext): Promise<string> {
  const database = await databases.find(({ name }) => name === 'postgres')?.create();
  if (database === undefined) throw new Error('there is no PostgreSQL to test on');
  context.onTestFinished(() => database.drop());
  return database.url;
}

/** The account, which `words` says in a sentence. */
async function crash(...flags: readonly string[]): Promise<Account & { readonly words: string }> {
  const { stdout, stderr } = await execa(process.execPath, [RUN, '--clients', '6', ...flags], { reject: false });
  const account = JSON.parse(stdout) as Account;
  expect(Object.keys(account), 'the help names other figures').toEqual(Object.keys(FIGURES));
  return { ...account, words: stderr.split('\n').at(-1) ?? '' };
}

/** Nothing is wrong in any way that `verdict.mjs` knows. */
const CLEAN = { faults: [], badStops: [], diedByItself: [], unexplained: [] };

describe('koukan serve, killed under load', () => {
  it('delivers every message that it had promised, twice only across a kill', async () => {
    const account = await crash('--engine', 'sqlite', '--shape', 'serve', '--kills', '3', '--seed', '7');
    expect(account).toMatchObject({ kills: 3, ...CLEAN });
    expect(account.promised).toBeGreaterThanOrEqual(3);
    expect(account.words).toMatch(/^sqlite, serve, seed 7: 3 kills; .* promised .* none lost, altered or stuck/);
  });

  it('delivers nothing twice where what is uncertain is held, and what is finished is soon forgotten', async () => {
    const flags = ['--engine', 'sqlite', '--shape', 'serve', '--policy', 'hold', '--gc', '1'];
    const account = await crash(...flags, '--kills', '3', '--seed', '11');
    expect(account).toMatchObject({ kills: 3, twice: 0, ...CLEAN });
  });
});

describe('routers and gateways on one PostgreSQL, killed, stopped and cut off under load', () => {
  it('deliver every message that one of them had promised, twice only across such a moment', async (context) => {
    const flags = ['--routers', '3', '--postgres', await postgres(context)];
    const account = await crash(...flags, '--kills', '4', '--seed', '5');
    expect(account).toMatchObject({ kills: 4, ...CLEAN });
    expect(account.promised).toBeGreaterThanOrEqual(4);
  });
});
