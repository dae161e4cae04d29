/** What `npm run crash` says to whoever runs it: which options make sense together, how far it is, and how it ended. */
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { FIGURES } from './help.mjs';
import { commandOf, readOptions } from './options.mjs';
import { describeAccount, describeFaults, describeProgress } from './words.mjs';

const RUN = path.join(import.meta.dirname, 'run.mjs');

/** Engine, shape and number of routers of each run. */
const runsOf = (...args: readonly string[]): readonly string[] =>
  readOptions(args).runs.map(({ engine, shape, routers }) => `${engine} ${shape} ${routers}`);

describe('the options', () => {
  it('are by default all engines and shapes, one after the other', () => {
    expect(runsOf()).toEqual(['sqlite serve 1', 'sqlite split 1', 'postgres serve 1', 'postgres split 2']);
    expect(runsOf('--engine', 'sqlite')).toEqual(['sqlite serve 1', 'sqlite split 1']);
    expect(runsOf('--shape', 'split')).toEqual(['sqlite split 1', 'postgres split 2']);
  });

  it('are a cluster on PostgreSQL where the number of routers is given', () => {
    expect(runsOf('--routers', '3')).toEqual(['postgres split 3']);
    expect(runsOf('--routers', '1', '--engine', 'sqlite')).toEqual(['sqlite split 1']);
    expect(runsOf('--gateways', '3', '--engine', 'sqlite')).toEqual(['sqlite split 1']);
    expect(runsOf('--postgres', 'postgresql://host/db', '--shape', 'serve')).toEqual(['postgres serve 1']);
  });

  it('are what makes the same run again', () => {
    const all = ['--policy', 'hold', '--clients', '6', '--between', '100', '--gateways', '1', '--gc', '2'];
    for (const args of [[], ['--seed', '7', '--kills', '3'], ['--routers', '3'], ['--shape', 'split', ...all]]) {
      for (const options of readOptions(args).runs) {
        const [, again = ''] = commandOf(options).split(' -- ');
        expect(readOptions(again.split(' ')).runs).toEqual([options]);
      }
    }
  });

  it.each([
    [['--kils', '3'], 'there is no --kils (did you mean --kills?)'],
    [['3'], 'nobody asked for "3": options begin with --'],
    [['--kills'], '--kills needs a value'],
    [['--kills', 'x'], '--kills must be a whole number from 0 to 100000, not x'],
    [['--kills='], '--kills must be a whole number from 0 to 100000, not nothing'],
    [['--routers', '0'], '--routers must be a whole number from 1 to 16, not 0'],
    [['--engine', 'postgre'], '--engine must be sqlite, postgres or both, not postgre (did you mean postgres?)'],
    [['--shape', 'splt'], '--shape must be serve, split or both, not splt (did you mean split?)'],
    [['--policy', 'keep'], '--policy must be retry, hold or ask, not keep'],
    [['--routers', '3', '--engine', 'sqlite'], 'several routers share a PostgreSQL, an SQLite file has one'],
    [['--routers', '3', '--engine', 'both'], 'several routers share a PostgreSQL, an SQLite file has one'],
    [['--routers', '3', '--shape', 'serve'], '--routers 3: with --shape serve router and gateway are one process'],
    [['--gateways', '1', '--shape', 'both'], '--gateways 1: with --shape serve router and gateway are one process'],
    [['--postgres', 'host/db'], '--postgres must be like postgresql://'],
    [['--postgres', 'postgresql://host/db', '--engine', 'sqlite'], '--postgres is not for --engine sqlite'],
    [['--postgres', 'postgresql://host/db'], '--postgres is an empty database for one run'],
  ])('%s are refused with what there is instead', (args, message) => {
    expect(() => readOptions(args)).toThrow(message);
  });
});

describe('the command', () => {
  it.each([
    [['--engin', 'sqlite'], 64, /^crash: there is no --engin .*\nnpm run crash -- --help says what there is\.$/],
    [
      ['--postgres', 'postgresql://u:secret@127.0.0.1:1/x', '--shape', 'serve'],
      69,
      /\ncrash: koukan db init failed on postgresql:\/\/u@127\.0\.0\.1:1\/x$/,
    ],
  ])('ends %s with a sentence and exit code %i', async (args, code, words) => {
    const { exitCode, stdout, stderr } = await execa('node', [RUN, ...args], { reject: false });
    expect([exitCode, stdout]).toEqual([code, '']);
    expect(stderr).toMatch(words);
  });

  it('says in its help what each figure means, and what there is to type', async () => {
    const { stdout, exitCode } = await execa('node', [RUN, '--help']);
    for (const name of Object.keys(FIGURES)) expect(stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'));
    expect(stdout).toContain('npm run crash -- --routers 3 --kills 60');
    expect(exitCode).toBe(0);
  });
});

const asked = { engine: 'sqlite', shape: 'serve', seed: 7, kills: 30 };
const account = {
  ...asked,
  policy: 'retry',
  promised: 68,
  recipients: 96,
  bounced: 6,
  cancelled: 2,
  twice: 7,
  uncertain: { arrived: 0, notArrived: 0 },
  takenForDead: 0,
  faults: [],
};

describe('while it runs', () => {
  it('says how far it is', () => {
    const progress = { kills: 12, promised: 45, recipients: 1, queued: 3 };
    expect(describeProgress(asked, { ...progress, stage: 'starting' }, 5)).toBe(
      'sqlite, serve, seed 7: starting (5 s)',
    );
    expect(describeProgress(asked, { ...progress, stage: 'loaded' }, 10)).toBe(
      'sqlite, serve, seed 7: 12 of 30 kills, 45 promised (10 s)',
    );
    expect(describeProgress(asked, { ...progress, stage: 'settling' }, 15)).toBe(
      'sqlite, serve, seed 7: 12 of 30 kills, 45 promised; waiting for 1 recipient, 3 in the queue (15 s)',
    );
  });
});

describe('at the end', () => {
  it('says in a sentence what became of what was promised', () => {
    expect(describeAccount(account)).toBe(
      'sqlite, serve, seed 7: 30 kills; 68 messages promised to 96 recipients, each arrived, or its sender was told that it was refused (6), ' +
        'or had cancelled it (2); 7 arrived twice, each sent again because the answer to its dot was not recorded; none lost, altered or stuck',
    );
  });

  it('leaves out what has not happened', () => {
    const quiet = { ...account, kills: 1, promised: 1, recipients: 1, bounced: 0, cancelled: 0, twice: 0 };
    expect(describeAccount({ ...quiet, takenForDead: 1 })).toBe(
      'sqlite, serve, seed 7: 1 kill; 1 message promised to 1 recipient, all arrived; none arrived twice; none lost, altered or stuck; ' +
        '1 router taken for dead, only slow',
    );
  });

  it('says of what is held how much of it had arrived', () => {
    const held = { ...account, policy: 'hold', twice: 0, uncertain: { arrived: 5, notArrived: 3 } };
    expect(describeAccount(held)).toContain('none arrived twice: 8 were held as uncertain, 5 of which had arrived');
  });

  const left = { keptIn: '/tmp/somewhere', command: 'npm run crash -- --seed 7' };

  it('says what is wrong, of whom, where to look, and how to do it again', () => {
    const lost = ['m1.0', 'm2.0', 'm2.1', 'm3.0', 'm4.0', 'm5.0', 'm6.0'];
    const diedByItself = [{ life: 'serve0-2.example', code: 1, signal: null }];
    const text = describeFaults({ ...account, lost, diedByItself, faults: ['lost', 'diedByItself'] }, left);
    expect(text.split('\n')).toEqual([
      'FAIL sqlite, serve, seed 7: 30 kills; 68 messages promised to 96 recipients',
      expect.stringMatching(
        /^ {2}lost: recipients that never got .* \(7\): m1\.0, m2\.0, m2\.1, m3\.0, m4\.0, and 2 more; see /,
      ),
      expect.stringMatching(/^ {2}diedByItself: programs .* \(1\): serve0-2\.example \(exit code 1\); see /),
      '  database, configurations and logs are kept in /tmp/somewhere',
      '  again, with the same disturbances: npm run crash -- --seed 7',
    ]);
  });

  const copies = [{ rcpt: 'm1.0', copies: [] }];
  const histories = [{ id: 'abc', rcpt_to: ['m1.0@example.com'] }];
  it.each([
    ['untold', { untold: ['m1.0'] }, 'm1.0'],
    ['toldTwice', { toldTwice: copies }, 'm1.0'],
    ['altered', { altered: ['m1.0'] }, 'm1.0'],
    ['misdirected', { misdirected: ['m1.0'] }, 'm1.0'],
    ['stuck', { stuck: histories }, 'abc to m1.0@example.com'],
    ['badStops', { badStops: [{ life: 'router0-1.example', code: null, signal: 'SIGKILL' }] }, 'SIGKILL'],
    ['twice', { unexplained: copies }, 'm1.0'],
    ['twice', { unexplained: [], twice: 4 }, ': 4'],
    ['longestSilenceMs', { longestSilenceMs: 61_000 }, ': 61000'],
    ['kills', { kills: 2 }, ': 2'],
  ])('says of %s what that is: %j', (fault, found, words) => {
    const [, line] = describeFaults({ ...account, unexplained: [], ...found, faults: [fault] }, left).split('\n');
    expect(line).toMatch(new RegExp(`^ {2}${fault}: .*${words}.*; see `));
    expect(line).not.toContain('undefined');
  });
});
