/** `koukan config check` as a user runs it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const koukan = path.join(root, 'bin/koukan.js');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-check-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(...args: string[]) {
  const { exitCode, stdout, stderr } = await execa('node', [koukan, 'config', 'check', ...args], {
    cwd: root,
    reject: false,
  });
  return { exitCode, stdout, stderr };
}

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
}

const ROUTER = `rest_listener: {addr: [localhost, 8000], session_uri: "http://localhost:8000"}
storage: {url: sqlite:///x.sqlite}
sender: [{name: s, output_chain: e}]
endpoint:
- name: e
  chain:
`;

describe('koukan config check', () => {
  it('is content with the shipped files', async () => {
    const files = ['config/local-test/router.yaml', 'config/local-test/gateway.yaml'];
    expect(await check(...files)).toEqual({
      exitCode: 0,
      stdout: 'config/local-test/router.yaml: ok (router)\nconfig/local-test/gateway.yaml: ok (gateway)',
      stderr: '',
    });
  });

  it('prints every mistake of every file and exits with 78', async () => {
    const one = file('one.yaml', `${ROUTER}  - filter: rest_outptu\nlog: {colour: no}\n`);
    const two = file('two.yaml', 'rest_output: []\nlog: {level: loud}\n');
    const { exitCode, stdout, stderr } = await check(one, two);
    expect({ exitCode, stdout }).toEqual({ exitCode: 78, stdout: '' });
    expect(stderr.split('\n')).toEqual([
      `${one}:7:13: unknown filter 'rest_outptu' (did you mean 'rest_output'?)`,
      `${one}:8:7: unknown key 'colour' (known here: level, format)`,
      `${two}:1:1: missing 'rest_listener': expected a mapping`,
      `${two}:2:14: 'level': expected debug, info, warn, error or silent, not "loud"`,
    ]);
  });

  it('warns without failing', async () => {
    const warned = file('warned.yaml', `${ROUTER}  - filter: rest_output\nlogging: {}\n`);
    const { exitCode, stdout, stderr } = await check(warned);
    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: `${warned}: ok (router)` });
    expect(stderr).toMatch(/:8:1: warning: Python's 'logging' has no effect here/);
  });

  it('reports as JSON', async () => {
    const bad = file('bad.yaml', `${ROUTER}  - filter: exploder\n`);
    const { exitCode, stdout } = await check('--json', bad);
    expect(exitCode).toBe(78);
    const message = expect.stringContaining('the exploder leads back to itself');
    expect(JSON.parse(stdout)).toEqual([
      { file: bad, kind: 'router', mistakes: [{ file: bad, line: 3, col: 11, message }], warnings: [] },
    ]);
  });

  it('takes the kind that is given, and says when it cannot tell', async () => {
    const unclear = file('unclear.yaml', 'log: {level: info}\n');
    expect((await check(unclear)).stderr).toContain("neither a router's nor a gateway's");
    expect((await check('--kind', 'gateway', unclear)).stderr).toContain("missing 'rest_listener'");
    expect((await check(path.join(folder, 'none.yaml'))).stderr).toContain('there is no file');
  });

  it('wants a file', async () => {
    expect((await check()).exitCode).toBe(64);
  });
});
