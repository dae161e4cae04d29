/** The code of docs/plugins.md works as it stands there. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
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
import { projectRoot, runKoukan } from '../helpers/process.ts';

const page = readFileSync(path.join(projectRoot, 'docs/plugins.md'), 'utf8');
let folder: string;

beforeAll(() => {
  folder = realpathSync(mkdtempSync(path.join(os.tmpdir(), 'koukan-plugin-docs-')));
  mkdirSync(path.join(folder, 'plugins'));
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(projectRoot, path.join(folder, 'node_modules/koukan'), 'dir');
  cpSync(path.join(projectRoot, 'examples/plugin'), path.join(folder, 'plugin'), { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"type": "module"}');
  for (const [, code = '', name = ''] of page.matchAll(/```js\n(\/\/ (plugins\/\S+)\n[\s\S]*?)```/g)) {
    writeFileSync(path.join(folder, name), code);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ROUTER = `rest_listener: {addr: [localhost, 8000], session_uri: "http://localhost:8000"}
storage: {url: sqlite:///x.sqlite}
sender: [{name: s, output_chain: desk}]
`;

function routerFile(name: string, more: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, ROUTER + more);
  return file;
}

it('loads, with the options that are written there', async (context) => {
  const chain = /```yaml\n(endpoint:[\s\S]*?)```/.exec(page)?.[1];
  const file = routerFile('whole.yaml', `modules: [./plugins/working-hours.js, ./plugins/size-class.js]\n${chain}`);
  const { code, stdout, stderr } = await runKoukan(context, { args: ['config', 'check', file] });
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${file}: ok (router)\n`, stderr: '' });
});

it('loads in the form of the original', async (context) => {
  const modules = /```yaml\n(modules:\n {2}sync_filter:[\s\S]*?)```/.exec(page)?.[1];
  const chain = `endpoint:
- name: desk
  chain:
  - filter: hello
  - {filter: policy_action, tag: t, mode: PER_RCPT, match: {matcher: hello}}
  - {filter: router, policy: {name: hello}}
  - filter: rest_output
`;
  const file = routerFile('maps.yaml', `${modules}${chain}`);
  const { code, stderr } = await runKoukan(context, { args: ['config', 'check', file] });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

it('passes its tests', async () => {
  const { exitCode, stdout } = await execa('node', ['--test', 'plugins/'], { cwd: folder, reject: false });
  expect(stdout).toContain('# pass 3');
  expect(exitCode).toBe(0);
});
