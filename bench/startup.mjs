/**
 * How long commands take to start, in milliseconds and as a ratio to a bare `node`: each is started N times, interleaved, and the medians are
 * compared, because on a machine that does other things only the ratio means something. Says which are above the goal, and always ends well:
 * a time is no test. `npm run bench:startup -- [N]`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const koukan = path.join(root, 'bin/koukan.js');
const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-startup-'));
const empty = path.join(folder, 'empty.mjs');
writeFileSync(empty, '');

/** What a command may take to start or to say that it cannot, and what the answer to `--version` may. */
const GOAL_MS = 150;
const VERSION_GOAL_MS = 80;

const NOBODY = 'http://127.0.0.1:1';
const config = (name) => path.join(root, 'config/local-test', name);
const helps = [['tx', 'list'], ['config', 'check'], ['serve'], ['send'], ['ssmtp'], ['dkim', 'verify']];
const commands = [
  ['--version'],
  ['--help'],
  ...helps.map((each) => [...each, '--help']),
  ['tx', 'list', '--url', NOBODY],
  ['tx', 'show', 'x', '--url', NOBODY],
  ['smtp-auth'],
  ['ssmtp', '--port', '1', '127.0.0.1', 'a@x.example', 'b@x.example'],
  ['db', 'init', '--url', `sqlite:///${path.join(folder, 'koukan.sqlite')}`],
  ['filters', 'dkim_sign'],
  ['config', 'check', config('router.yaml')],
];

const rounds = Number(process.argv[2] ?? 11);
const cases = [['node, nothing else', [empty]], ...commands.map((args) => [args.join(' '), [koukan, ...args]])];
const times = cases.map(() => []);
try {
  for (let round = 0; round < rounds; round += 1) {
    cases.forEach(([, args], i) => {
      const startedAt = process.hrtime.bigint();
      spawnSync(process.execPath, args, { input: '' });
      times[i].push(Number(process.hrtime.bigint() - startedAt) / 1e6);
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const sorted = times.map((each) => each.toSorted((a, b) => a - b));
const median = (list) => list[Math.floor(list.length / 2)];
const bare = { median: median(sorted[0]), least: sorted[0][0] };
const shown = (name) => name.replaceAll(folder, '…').replaceAll(root, '');
process.stdout.write('| median ms | ratio | least ms | ratio | command |\n|---|---|---|---|---|\n');
cases.forEach(([name], i) => {
  const [mid, least] = [median(sorted[i]), sorted[i][0]];
  const cells = [mid.toFixed(0), (mid / bare.median).toFixed(2), least.toFixed(0), (least / bare.least).toFixed(2)];
  process.stdout.write(`| ${cells.join(' | ')} | ${shown(name)} |\n`);
});

const isSlow = (name, i) => median(sorted[i]) > (name === '--version' ? VERSION_GOAL_MS : GOAL_MS);
const slow = cases.flatMap(([name], i) =>
  isSlow(name, i) ? [`${shown(name)} (${median(sorted[i]).toFixed(0)})`] : [],
);
process.stdout.write(
  `\nA bare node takes ${bare.median.toFixed(0)} ms (at least ${bare.least.toFixed(0)}). Goal: ${GOAL_MS} ms, --version ${VERSION_GOAL_MS}. ` +
    `Above it: ${slow.length === 0 ? 'none' : slow.join('; ')}.\n`,
);
