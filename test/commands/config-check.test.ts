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
  });

  it('exits with 66 when all that is wrong is that a file is not there', async () => {
    const none = path.join(folder, 'none.yaml');
    const { exitCode, stderr } = await check(none);
    expect({ exitCode, stderr }).toEqual({ exitCode: 66, stderr: `there is no file ${none}` });
    const bad = file('also-bad.yaml', 'log: {level: info}\n');
    expect((await check(none, bad)).exitCode).toBe(78);
  });

  it('wants a file', async () => {
    expect((await check()).exitCode).toBe(64);
  });

  it('reports key files together with what else is wrong', async () => {
    const text = `${ROUTER}  - {filter: dkim_sign, domain: x.example, selector: s, key: missing.pem}\n  - filter: rest_output\nlog: {colour: no}\n`;
    const { exitCode, stderr } = await check(file('keys.yaml', text));
    expect(exitCode).toBe(78);
    expect(stderr).toContain(': missing.pem cannot be read');
    expect(stderr).toContain("unknown key 'colour'");
  });

  it('knows domains that no address has, in routing and in policies', async () => {
    const list =
      'policy: {name: address_list, domains: [good.example, "*.bad.example", "@x.example"], destination: null}';
    const match =
      'tag: t, match: {matcher: address_list, which_addr: mail_from, domains: [.example.com]}, action: REJECT';
    const text = `${ROUTER}  - {filter: router, ${list}}\n  - {filter: policy_action, ${match}}\n  - filter: rest_output\n`;
    const { exitCode, stderr } = await check(file('domains.yaml', text));
    expect(exitCode).toBe(78);
    expect(stderr.match(/no address has such a domain/g)).toHaveLength(3);
  });

  it('knows pauses between attempts whose bounds contradict each other', async () => {
    const handler = 'output_handler: {retry_params: {min_attempt_time: 600, max_attempt_time: 60}}';
    const text = `${ROUTER}  - filter: rest_output\n  ${handler}\n`;
    const { exitCode, stderr } = await check(file('times.yaml', text));
    expect(exitCode).toBe(78);
    expect(stderr).toContain("'max_attempt_time' (60) must not be less than 'min_attempt_time' (600)");
  });

  it('warns of names to which nothing in the chain finds the addresses', async () => {
    const route = (options: string) =>
      `  - {filter: router, ${options}destination: {host_list: [{host: mx.example, port: 25}]}}\n`;
    const output = '  - filter: rest_output\n';
    const words = "a gateway takes addresses, and 'mx.example' is a name: add 'filter: dns_resolution' to this chain";
    const bare = await check(file('names.yaml', ROUTER + route('') + output));
    expect(bare).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`: warning: ${words}`) });
    const resolved = await check(
      file('resolved.yaml', `${ROUTER}${route('')}  - {filter: dns_resolution, suffix: ""}\n${output}`),
    );
    expect(resolved).toMatchObject({ exitCode: 0, stderr: '' });
    const dry = await check(file('dry.yaml', ROUTER + route('dry_run: true, ') + output));
    expect(dry).toMatchObject({ exitCode: 0, stderr: '' });
  });
});
