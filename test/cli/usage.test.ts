/** Wrong usage of the command line: one exit code, words that say what to do, no stack. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { expect, it, onTestFinished } from 'vitest';

const koukan = path.resolve(import.meta.dirname, '../../bin/koukan.js');
const HINT = 'Run the command with --help for its flags and examples.';

it.each([
  [['fake-smtpd', 'abc'], 'PORT: expected a number from 0 to 65535 but received: abc'],
  [['fake-smtpd', '65536'], 'PORT: expected a number from 0 to 65535 but received: 65536'],
  [['receive', '--dir', 'x', '--port', 'abc'], '--port: expected an integer but received: abc'],
  [['smtp-auth', 'ann'], 'there is no command `koukan smtp-auth ann` (did you mean `koukan smtp-auth`?)'],
  [['tx', 'lst'], 'there is no command `koukan tx lst` (did you mean `koukan tx list`?)'],
  [['serv'], 'there is no command `koukan serv` (did you mean `koukan serve`?)'],
  [['db', 'bogus'], 'there is no command `koukan db bogus`'],
  [['dev', '--bogus'], 'Nonexistent flag: --bogus'],
  [['tx', 'list', '--stat', 'failed'], 'Nonexistent flag: --stat (did you mean --state?)'],
  [
    ['tx', 'list', '--state', 'fialed'],
    '--state: expected one of active, deferred, incomplete, delivered, failed, cancelled, abandoned, uncertain but received: fialed (did you mean failed?)',
  ],
  [
    ['ssmtp', '--tls', 'startls', 'b@x.example'],
    '--tls: expected one of auto, off, starttls, implicit but received: startls (did you mean starttls?)',
  ],
  [['config', 'check', '--kind', 'x', 'f.yaml'], '--kind: expected one of router, gateway but received: x'],
  [['send', 'b@x.example', '--rfc822', 'x'], '--mail-from is required'],
  [
    ['send', 'b@x.example', '--mail-from', 'a@x.example'],
    'Exactly one of the following must be provided: --message-builder, --rfc822',
  ],
  [['send', '--mail-from', 'a@x.example'], 'Missing 1 required arg:\nrecipients  Recipients, one or more.'],
])('koukan %j exits with 64', async (args, words) => {
  const { exitCode, stdout, stderr } = await execa('node', [koukan, ...args], { reject: false });
  expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 64, stdout: '', stderr: `${words}\n${HINT}` });
});

it.each([
  ['-h', '--help'],
  ['-v', '--version'],
])('koukan %s is koukan %s', async (short, long) => {
  const [brief, full] = await Promise.all([short, long].map((flag) => execa('node', [koukan, flag])));
  expect(brief?.stdout).toBe(full?.stdout);
  expect(brief?.stdout).not.toBe('');
});

it('a command that waits for what never comes ends with 70, not as if it had done its work', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-never-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(path.join(folder, 'commands'));
  const frame = path.resolve(import.meta.dirname, '../../node_modules/@oclif/core/lib/index.js');
  writeFileSync(
    path.join(folder, 'commands/never.cjs'),
    `const { Command } = require(${JSON.stringify(frame)});
    module.exports = class Never extends Command { run() { return new Promise(() => {}); } };`,
  );
  const oclif = { bin: 'koukan', commands: './commands' };
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'never', version: '1.0.0', oclif }));
  const bundle = path.resolve(import.meta.dirname, '../../dist/bundle/load.cjs');
  const program = `require(${JSON.stringify(bundle)}).load('run.cjs').run(['never'], ${JSON.stringify(folder)})`;
  const { exitCode, stderr } = await execa('node', ['--eval', program], { reject: false });
  expect({ exitCode, stderr }).toEqual({
    exitCode: 70,
    stderr: 'internal error: the command ended before it was done',
  });
});
