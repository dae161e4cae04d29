/** The example plugin, run as its README says, and tested as its own package. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../helpers/journey-ports.ts';
import { KoukanProcess, projectRoot, runKoukan } from '../helpers/process.ts';

let folder: string;
let plugin: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'koukan-example-plugin-')));
  plugin = path.join(folder, 'plugin');
  cpSync(path.join(projectRoot, 'examples/plugin'), plugin, { recursive: true });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('greets, finds the ticket, and routes mail for hello@', async (context) => {
  const [router, application] = [await freePort(), await freePort()];
  const file = path.join(plugin, 'router.yaml');
  const yaml = readFileSync(file, 'utf8').replaceAll('8000', String(router)).replaceAll('8002', String(application));
  writeFileSync(file, yaml);
  const received = path.join(folder, 'received');
  const receiver = KoukanProcess.start(context, {
    args: ['receive', '--port', String(application), '--dir', received],
  });
  await receiver.until('/senders/');
  const daemon = KoukanProcess.start(context, { args: ['router', file], cwd: folder });
  await daemon.until('router ready');
  const send = (to: string, message: string) =>
    runKoukan(context, {
      args: [
        'send',
        '--url',
        `http://127.0.0.1:${router}`,
        '--mail-from',
        'ann@example.com',
        ...message.split(' '),
        to,
      ],
      input: 'Subject: no ticket\r\n\r\nhi\r\n',
    });

  const builder = `--message-builder ${path.join(plugin, 'message.json')}`;
  expect(await send('hello@example.org', builder)).toMatchObject({ code: 0 });
  await daemon.until('greeting="good morning"');
  expect(daemon.output).toMatch(/policy matched .*tag=hello/);
  const [message] = readdirSync(received).filter((name) => name.endsWith('.msg'));
  expect(readFileSync(path.join(received, String(message)), 'utf8')).toMatch(/^X-Ticket: 1234\r\n/);

  const nobody = await send('bob@example.org', builder);
  expect(nobody.stdout + nobody.stderr).toContain('550 5.1.1 mailbox does not exist');
  const gone = await send('goodbye@example.org', builder);
  expect(gone.stdout + gone.stderr).toContain('550 5.1.6 has left');
  const ticketless = await send('hello@example.org', '--rfc822 -');
  expect(ticketless.stdout + ticketless.stderr).toContain('554 5.6.0 write the ticket into the subject');
  expect(await daemon.terminate()).toEqual({ code: 0, signal: null });
});

it('has the types it says, and passes its own tests, with koukan installed beside it', async () => {
  mkdirSync(path.join(plugin, 'node_modules'));
  symlinkSync(projectRoot, path.join(plugin, 'node_modules/koukan'), 'dir');
  const compilerOptions = {
    ...{ allowJs: true, checkJs: true, noEmit: true, strict: true, skipLibCheck: true },
    ...{ module: 'nodenext', target: 'es2023', types: ['node'] },
    typeRoots: [path.join(projectRoot, 'node_modules/@types')],
  };
  writeFileSync(path.join(plugin, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.js'] }));
  const tsc = path.join(projectRoot, 'node_modules/typescript/bin/tsc');
  const [types, tests] = await Promise.all([
    execa('node', [tsc, '-p', plugin], { reject: false }),
    execa('node', ['--test'], { cwd: plugin, reject: false }),
  ]);
  expect(types.stdout).toBe('');
  expect(tests.stdout).toContain('# pass 6');
  expect({ types: types.exitCode, tests: tests.exitCode }).toEqual({ types: 0, tests: 0 });
});
