// Runs commands and writes down what V8 made of the bundle meanwhile (dist/bundle/*.cache), which saves every start from doing it again:
// scripts/load-bundle.cjs. Functions that none of these commands calls are compiled when they are called, as ever.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { load, scripts } from '../dist/bundle/load.cjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Makes a process of its own write the cache: commands print, and set exit codes. */
export function writeCodeCache() {
  const { status, stderr } = spawnSync(process.execPath, [fileURLToPath(import.meta.url)], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the code cache could not be written: ${stderr}`);
}

async function main() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-build-'));
  const { run } = load('run.cjs');
  for (const args of commands(folder)) await run(args, root);
  rmSync(folder, { recursive: true });
  for (const [file, { script, heading }] of scripts) {
    const cache = Buffer.concat([Buffer.from(heading, 'latin1'), script.createCachedData()]);
    writeFileSync(`${file}.cache.${process.pid}`, cache);
    renameSync(`${file}.cache.${process.pid}`, `${file}.cache`);
  }
  process.exitCode = 0;
}

/** Commands that do their work without a server: nobody listens at port 1. */
function commands(folder) {
  const message = path.join(folder, 'message.eml');
  writeFileSync(message, 'From: a@one.example\r\n\r\nx\r\n');
  const nobody = ['--url', 'http://127.0.0.1:1'];
  return [
    ['--help'],
    ['tx', 'list', '--help'],
    ['config', 'check', 'config/local-test/router.yaml', 'config/local-test/gateway.yaml'],
    ['config', 'check', 'config/production/router.yaml'],
    ['config', 'migrate', 'config/local-test/router.yaml'],
    ['filters'],
    ['filters', 'policy_action'],
    ['dkim', 'keygen', '--selector', 's1', '--out', path.join(folder, 'key.pem'), 'one.example'],
    ['db', 'init', '--url', `sqlite:///${path.join(folder, 'koukan.sqlite')}`],
    ['smtp-auth'],
    ['ssmtp', '--host', '127.0.0.1', '--port', '1', '--mail-from', 'a@one.example', 'b@two.example'],
    ['send', ...nobody, '--mail-from', 'a@one.example', '--rfc822', message, 'b@two.example'],
    ['tx', 'list', ...nobody],
    ['tx', 'show', 'x', ...nobody],
    ['tx', 'cancel', 'x', ...nobody],
    ['tx', 'watch', 'x', ...nobody],
    ['tx', 'retry', 'x', ...nobody],
    ['no', 'such', 'command'],
  ];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
