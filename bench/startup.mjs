/**
 * How long commands take to start, in milliseconds and as a ratio to a bare `node`: each is started N times, interleaved with all others. On a
 * machine that does other things only the ratio of the least times means something, so that is what is judged. `npm run bench:startup -- [N [WORD]]`,
 * with a word only the commands it is in. The exit code is 1 when one misses its goal, and the last line says which.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const koukan = path.join(root, 'bin/koukan.js');
const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-startup-'));
const put = (name, text) => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};
const empty = put('empty.mjs', '');
const message = put('message.eml', 'From: a@one.example\r\nSubject: x\r\n\r\nx\r\n');

/** What a command may take on a machine on which a bare node takes 63 ms, and what the answer to `--version` may. */
const BARE_MS = 63;
const GOAL_MS = 150;
const VERSION_GOAL_MS = 80;

const { commands: known } = JSON.parse(readFileSync(path.join(root, 'oclif.manifest.json'), 'utf8'));
const helps = Object.keys(known).map((id) => [...id.split(':'), '--help']);
const nobody = ['--url', 'http://127.0.0.1:1'];
const config = (name) => path.join(root, 'config', name);
const pair = (name) => [config(`${name}/router.yaml`), config(`${name}/gateway.yaml`)];
const database = ['--url', `sqlite:///${path.join(folder, 'koukan.sqlite')}`];

/** What a command can do without a server: nobody listens at port 1, and the keys of the production example are not there. */
const work = [
  ['tx', 'list', ...nobody],
  ['tx', 'show', 'x', ...nobody],
  ['tx', 'watch', 'x', ...nobody],
  ['tx', 'retry', 'x', ...nobody],
  ['tx', 'cancel', 'x', ...nobody],
  ['send', ...nobody, '--mail-from', 'a@one.example', '--rfc822', message, 'b@two.example'],
  ['ssmtp', '--host', '127.0.0.1', '--port', '1', '--mail-from', 'a@one.example', 'b@two.example'],
  ['smtp-auth'],
  ['smtp-auth', '--token', '--sender', 'app'],
  [
    'dkim',
    'keygen',
    '--type',
    'ed25519',
    '--selector',
    's1',
    '--out',
    path.join(folder, 'key.pem'),
    '--force',
    'one.example',
  ],
  ['dkim', 'verify', message],
  ['db', 'init', ...database],
  ['db', 'migrate', ...database],
  ['filters'],
  ['filters', 'dkim_sign'],
  ['filters', '--config', config('local-test/router.yaml')],
  ['config', 'check', config('local-test/router.yaml')],
  ['config', 'check', config('local-test/gateway.yaml')],
  ['config', 'check', ...pair('local-test')],
  ['config', 'check', config('production/router.yaml')],
  ['config', 'check', config('production/gateway.yaml')],
  ['config', 'migrate', config('local-test/router.yaml')],
  ['no', 'such', 'command'],
];

const shown = (args) => args.join(' ').replaceAll(folder, '…').replaceAll(`${root}config`, '…');
const rounds = Number(process.argv[2] ?? 11);
const wanted = process.argv[3] ?? '';
const commands = [['--version'], ['--help'], ...helps, ...work].filter((args) => shown(args).includes(wanted));
if (!Number.isInteger(rounds) || rounds < 1 || commands.length === 0) {
  rmSync(folder, { recursive: true, force: true });
  process.stderr.write(
    commands.length === 0
      ? `no command has ${JSON.stringify(wanted)} in it\n`
      : `expected a number of starts, 1 or more, but received: ${process.argv[2]}\n`,
  );
  process.exit(64);
}
const cases = [[empty], ...commands.map((args) => [koukan, ...args])];
const times = cases.map(() => []);
try {
  for (let round = 0; round < rounds; round += 1) {
    cases.forEach((args, i) => {
      const startedAt = process.hrtime.bigint();
      spawnSync(process.execPath, args, { input: '' });
      times[i].push(Number(process.hrtime.bigint() - startedAt) / 1e6);
    });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const sorted = times.map((each) => each.toSorted((a, b) => a - b));
const results = sorted.map((list) => ({ median: list[Math.floor(list.length / 2)], least: list[0] }));
const [bare, ...took] = results;
const cells = ({ median, least }) =>
  [median.toFixed(0), (median / bare.median).toFixed(2), least.toFixed(0), (least / bare.least).toFixed(2)].join(' | ');
process.stdout.write('| median ms | ratio | least ms | ratio | command |\n|---|---|---|---|---|\n');
process.stdout.write(`| ${cells(bare)} | node, nothing else |\n`);
for (const [i, args] of commands.entries()) process.stdout.write(`| ${cells(took[i])} | ${shown(args)} |\n`);

const goalOf = (args) => (args[0] === '--version' ? VERSION_GOAL_MS : GOAL_MS) / BARE_MS;
const slow = commands.flatMap((args, i) => {
  const ratio = took[i].least / bare.least;
  return ratio > goalOf(args) ? [`${shown(args)} (${ratio.toFixed(2)})`] : [];
});
const goals = `${(GOAL_MS / BARE_MS).toFixed(2)}, --version ${(VERSION_GOAL_MS / BARE_MS).toFixed(2)}`;
process.stdout.write(
  `\nA bare node takes ${bare.median.toFixed(0)} ms (at least ${bare.least.toFixed(0)}). Goal: at most so many times that: ${goals} ` +
    `(${GOAL_MS} and ${VERSION_GOAL_MS} ms where it takes ${BARE_MS}). Above it: ${slow.length === 0 ? 'none' : slow.join('; ')}.\n`,
);
process.exitCode = slow.length === 0 ? 0 : 1;
