/** A router whose plugin does everything wrong that a plugin can: it goes on, and what it was given is delivered or put off. */
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it, type TestContext } from 'vitest';
import { freePort } from '../helpers/journey-ports.ts';
import { KoukanProcess, runKoukan } from '../helpers/process.ts';

let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'koukan-plugin-process-')));
  // A package that only ES modules can import, in reach of the configuration file.
  const place = path.join(folder, 'node_modules/koukan-trouble');
  mkdirSync(place, { recursive: true });
  const manifest = { name: 'koukan-trouble', type: 'module', exports: { '.': { import: './trouble.js' } } };
  writeFileSync(path.join(place, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(place, 'trouble.js'), PLUGIN);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PLUGIN = `import { EventEmitter } from 'node:events';
import { defineFilter, definePlugin } from 'koukan';

const trouble = {
  fine: () => undefined,
  throws: () => { throw new Error('thrown'); },
  rejection: () => { void Promise.reject(new Error('stray rejection')); },
  fetch: () => { void fetch('http://127.0.0.1:1/'); },
  timer: () => { setTimeout(() => { throw new Error('thrown by a timer'); }, 1); },
  listener: (tx) => { tx.signal.addEventListener('abort', () => { throw new Error('thrown at the end'); }); },
  emitter: () => { setImmediate(() => new EventEmitter().emit('error', new Error('an event nobody hears'))); },
};

export default definePlugin({
  name: 'trouble',
  filters: [
    defineFilter({
      name: 'trouble',
      summary: 'Makes trouble of the kind the recipient names.',
      create: () => () => ({
        rcpt: async (tx, to, next) => {
          trouble[to.address.split('@')[0]](tx);
          return next(to);
        },
      }),
    }),
  ],
});
`;

function routerYaml(name: string, modules: string, router: number, application: number): string {
  const file = path.join(folder, name);
  writeFileSync(
    file,
    `modules: ${modules}
rest_listener: {addr: [127.0.0.1, ${router}], session_uri: 'http://127.0.0.1:${router}'}
storage: {url: 'sqlite:///${folder}/trouble.sqlite'}
sender: [{name: submission, output_chain: e}]
rest_endpoint: [{name: app, endpoint: 'http://127.0.0.1:${application}/senders/router/transactions', sender: router}]
log: {level: info, format: text}
endpoint:
- name: e
  chain:
  - filter: message_builder
  - filter: trouble
  - {filter: router, destination: {endpoint: app}}
  - filter: rest_output
`,
  );
  return file;
}

async function sendTo(context: TestContext, port: number, name: string) {
  const args = [
    'send',
    '--url',
    `http://127.0.0.1:${port}`,
    '--mail-from',
    'a@x.test',
    '--rfc822',
    '-',
    `${name}@y.test`,
  ];
  return runKoukan(context, { args, input: 'Subject: hi\r\n\r\nhi\r\n' });
}

it('survives a plugin that throws, and one that leaves errors behind', async (context) => {
  const [port, application] = [await freePort(), await freePort()];
  const received = path.join(folder, 'received');
  const receiver = KoukanProcess.start(context, {
    args: ['receive', '--port', String(application), '--dir', received],
  });
  await receiver.until('/senders/');
  const file = routerYaml('router.yaml', '[koukan-trouble]', port, application);
  const daemon = KoukanProcess.start(context, { args: ['router', file] });
  await daemon.until('router ready');

  const refused = await sendTo(context, port, 'throws');
  expect(refused.stdout + refused.stderr).toContain('451 4.3.0 a filter failed, try again later');
  await daemon.until(/a plugin failed .*plugin=trouble filter=trouble phase=rcpt .*Error: thrown/);

  const left = ['rejection', 'fetch', 'timer', 'listener', 'emitter'];
  for (const name of left) expect(await sendTo(context, port, name)).toMatchObject({ code: 0 });
  for (const text of [
    'stray rejection',
    'fetch failed',
    'thrown by a timer',
    'thrown at the end',
    'an event nobody hears',
  ]) {
    await daemon.until(
      new RegExp(`the filter trouble of the plugin trouble left an error that nobody caught .*${text}`),
    );
  }

  expect(await sendTo(context, port, 'fine')).toMatchObject({ code: 0 });
  expect(readdirSync(received).filter((name) => name.endsWith('.msg'))).toHaveLength(left.length + 1);
  expect(await daemon.terminate()).toEqual({ code: 0, signal: null });
});

it('does not start with a plugin that cannot be loaded', async (context) => {
  const file = routerYaml('broken.yaml', '[./gone.js]', await freePort(), await freePort());
  const { code, stderr } = await runKoukan(context, { args: ['router', file] });
  expect({ code, stderr }).toEqual({
    code: 78,
    stderr: `${file}:1:11: plugin ./gone.js: there is no file ${folder}/gone.js\n`,
  });
});
