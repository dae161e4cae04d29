/** The benchmark's own command, with a few messages each: nobody trusts figures of the day by a command that does not run any more. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

interface Contestant {
  readonly name: string;
  readonly delivered: number;
  readonly deferred: number;
  readonly faults: number;
  readonly delivered_per_s: number;
  readonly each_run: readonly { readonly delivered: number }[];
  readonly soak?: Record<string, number>;
  readonly bursts?: Record<'aged' | 'fresh', readonly { readonly delivered: number }[]>;
}

interface Outcome {
  readonly results: readonly { readonly name: string; readonly contestants: readonly Contestant[] }[];
}

interface Printed {
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 120_000;

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'bench-test-'));
});

afterEach(() => rm(dir, { recursive: true, force: true }));

/** What it printed, and what it wrote. */
async function bench(args: readonly string[]): Promise<Printed & { jsonFile: string; outcome: Outcome }> {
  const jsonFile = path.join(dir, 'out.json');
  const { stdout, stderr } = await execa('node', ['bench/run.mjs', '--json-out', jsonFile, '--repeat', '1', ...args]);
  return { stdout, stderr, jsonFile, outcome: JSON.parse(await readFile(jsonFile, 'utf8')) };
}

const everybodyIn = ({ results }: Outcome): readonly Contestant[] => results.flatMap(({ contestants }) => contestants);

describe('the short form', () => {
  it(
    'measures Koukan and the bare relay in every scenario, prints them side by side, and makes tables for the page of it',
    async () => {
      const { stdout, jsonFile, outcome } = await bench(['--quick', '--n', '30', '--warmup', '10', '--sessions', '5']);
      expect(outcome.results.map(({ name }) => name)).toEqual(['stored-4k', 'relay-4k', 'rest-4k', 'relay-split']);
      for (const { contestants } of outcome.results) {
        expect(contestants.map(({ name }) => name)).toEqual(['koukan', expect.stringMatching(/^bare-/)]);
      }
      for (const who of everybodyIn(outcome)) expect(who).toMatchObject({ delivered: 30, faults: 0 });
      expect(stdout).toMatch(/^case +who +delivered\/s/);
      expect(stdout).toMatch(/^stored-4k +koukan +\d/m);

      const page = path.join(dir, 'page.md');
      const marks = ['<!-- figures: written by bench/write-tables.mjs -->', '<!-- end of figures -->'];
      await writeFile(page, `before\n${marks[0]}\nold\n${marks[1]}\nafter\n`);
      await execa('node', ['bench/write-tables.mjs', '--json', jsonFile, '--page', page]);
      const written = await readFile(page, 'utf8');
      expect(written).toMatch(/^before\n/);
      expect(written).toMatch(/\nafter\n$/);
      expect(written).toContain('| relay-4k | koukan |');
      expect(written).not.toContain('old');
    },
    TIMEOUT_MS,
  );
});

describe('loads', () => {
  it(
    'offers again what a far end refuses for now, counts that, and finds every message there in the end',
    async () => {
      const args = ['--scenario', 'relay-serve', '--n', '40', '--warmup', '0', '--sink-refuse', '0.5', '--pipelining'];
      const [koukan] = everybodyIn((await bench(args)).outcome);
      expect(koukan).toMatchObject({ delivered: 40, faults: 0 });
      expect(koukan?.deferred).toBeGreaterThan(0);
    },
    TIMEOUT_MS,
  );

  it(
    'counts each recipient of a message, over connections that take one message each, through several gateways',
    async () => {
      const load = ['--rcpts', '3', '--per-connection', '1', '--n', '20', '--warmup', '0'];
      const { outcome } = await bench(['--scenario', 'relay-split', '--gateways', '2', ...load]);
      expect(everybodyIn(outcome)).toMatchObject([{ delivered: 60, faults: 0 }]);
    },
    TIMEOUT_MS,
  );
});

describe('a long load', () => {
  it(
    'is paced between its edges, collects its garbage, and ends with what it says of rate, memory and store, and with bursts',
    async () => {
      // Its minutes are seconds here.
      const soak = ['--soak', '6', '--pace', '20', '--seconds', '1', '--n', '30', '--warmup', '10'];
      const { outcome, stderr } = await bench(['--scenario', 'rest-serve', ...soak]);
      const [koukan] = everybodyIn(outcome);
      expect(koukan?.each_run.map(({ delivered }) => delivered)).toEqual([30, 30, 20, 20, 30, 30]);
      expect(koukan?.soak).toMatchObject({ minutes: 6, delivered: 160, lost: 0, duplicated: 0 });
      expect(koukan?.soak).toMatchObject({ memory_from_minute: 3, memory_to_minute: 4 });
      expect(stderr).toMatch(
        /^rest-serve after 6 minutes: .*\/s at first, .*\/s at last .* slope .* MB\/h; store .* collected; 160 delivered/m,
      );
      expect(stderr).toMatch(/^rest-serve: storage\.gc_ttl 1, .* collected after 1 seconds$/m);
      // One message opened it, ten warmed it.
      expect(koukan?.soak).toMatchObject({ bodies_stored: 171 });
      expect(koukan?.soak?.bodies_collected).toBeLessThanOrEqual(171);
      expect(koukan?.bursts?.aged.map(({ delivered }) => delivered)).toEqual([5, 5]);
      expect(koukan?.bursts?.fresh.map(({ delivered }) => delivered)).toEqual([5, 5]);
      expect(koukan?.bursts).toMatchObject({ faults: 0 });
      expect(stderr).toMatch(/^rest-serve bursts: .*\/s aged, .*\/s fresh /m);
    },
    TIMEOUT_MS,
  );
});

describe('a store with a past', () => {
  it(
    'is measured beside an empty one',
    async () => {
      const load = ['--scenario', 'rest-serve', '--n', '20', '--warmup', '0'];
      const { outcome } = await bench([...load, '--prefill', 'finished=300,deferred=100']);
      expect(everybodyIn(outcome)).toMatchObject([
        { name: 'koukan', delivered: 20, faults: 0 },
        { name: 'koukan-aged', delivered: 20, faults: 0 },
      ]);
    },
    TIMEOUT_MS,
  );
});

describe('mistakes', () => {
  it.each([
    [['--scenario', 'relais'], 'no scenario relais (did you mean relay?); there are relay-serve'],
    [['--table', '--scenario', 'imap'], 'no scenario imap; there are stored-4k'],
    [['--scenaro', 'relay'], 'there is no --scenaro (did you mean --scenario?)'],
    [['-q'], 'there is no -q'],
    [['quick'], 'nobody asked for "quick": options begin with --'],
    [['--sessions'], '--sessions needs a value'],
    [['--sessions', '--pipelining'], '--sessions needs a value'],
    [['--sessions', 'many'], '--sessions must be a whole number from 1 to 10000, not many'],
    [['--table=1'], '--table takes no value'],
    [['--store', 'postgre'], '--store must be sqlite or postgres, not postgre (did you mean postgres?)'],
    [['--pid', 'koukan'], '--pid must be a whole number'],
    [['--peers', 'sendmail'], 'no sendmail; there are postfix, haraka, bare, openssl'],
    [['--peers', 'harka'], 'no harka (did you mean haraka?)'],
    [['--prefill', 'finished'], '--prefill must be like finished=1000,deferred=100'],
    [['--pace', '500'], '--pace is for --soak'],
    [['--sink-refuse', '2'], '--sink-refuse must be from 0 to 1'],
  ])('%s is refused with what there is instead, and where to read on', async (args, message) => {
    const { exitCode, stderr } = await execa('node', ['bench/run.mjs', ...args], { reject: false });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^bench: .*\nnpm run bench -- --help says what there is\.$/);
    expect(exitCode).toBe(64);
  });
});
