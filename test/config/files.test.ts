/** Files that a configuration names, and the configuration file itself. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadGatewayConfig, loadRouterConfig } from '../../src/lib/config/load.ts';

const shipped = path.resolve(import.meta.dirname, '../../config/local-test');
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function gatewayWith(service: string): string {
  const file = path.join(folder, 'gateway.yaml');
  writeFileSync(
    file,
    `rest_listener: {addr: [localhost, 0], session_uri: "http://localhost"}
rest_output: [{name: r, endpoint: "http://localhost/"}]
smtp_listener: {services: [{addr: [localhost, 0], endpoint: r, sender: s, tag: t, ${service}}]}
`,
  );
  return file;
}

function problem(file: string): string {
  try {
    loadGatewayConfig(file);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('files named in a configuration', () => {
  const cert = path.join(shipped, 'test-only-localhost.crt');
  const key = path.join(shipped, 'test-only-localhost.key');

  it('are read before anything starts, relative to the configuration', () => {
    writeFileSync(path.join(folder, 'secrets.json'), '{"alice": "00"}');
    const file = gatewayWith(`cert: ${path.relative(folder, cert)}, key: ${key}, auth_secrets: secrets.json`);
    expect(loadGatewayConfig(file).services[0]?.tls).toEqual({ cert, key });
  });

  it('must be there', () => {
    expect(problem(gatewayWith('cert: no.crt, key: no.key')).split('\n')).toEqual([
      `${folder}/gateway.yaml:3:89: 'cert': there is no file ${folder}/no.crt`,
      `${folder}/gateway.yaml:3:102: 'key': there is no file ${folder}/no.key`,
    ]);
  });

  it('must be a certificate and its own key', () => {
    expect(problem(gatewayWith(`cert: ${key}, key: ${cert}`))).toMatch(/:3:83: 'cert' and 'key' are no working pair: /);
  });

  it('must be secrets in JSON', () => {
    writeFileSync(path.join(folder, 'bad.json'), '["alice"]');
    const file = gatewayWith(`cert: ${cert}, key: ${key}, auth_secrets: bad.json`);
    expect(problem(file)).toMatch(/'auth_secrets': expected a JSON mapping of user to hash in bad\.json$/);
  });

  it('are left alone when they are not to be checked', () => {
    expect(loadGatewayConfig(gatewayWith('cert: no.crt, key: no.key'), {}).services).toHaveLength(1);
  });
});

describe('a configuration file', () => {
  it('that is not there is a clear error', () => {
    expect(() => loadRouterConfig('/no/such/router.yaml')).toThrow(/^there is no file \/no\/such\/router\.yaml$/);
  });

  it('that is a directory is a clear error', () => {
    expect(() => loadRouterConfig(folder)).toThrow(`expected a file, not the directory ${folder}`);
  });
});
