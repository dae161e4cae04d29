/** Who may use a REST listener, as configured: what it becomes, what is refused, and what is said of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseGatewayConfig, parseRouterConfig } from '../../src/lib/config/load.ts';

const STORAGE = 'storage: {url: sqlite:///x.sqlite}';

function router(listener: string, more = ''): string {
  return `rest_listener: {addr: [localhost, 8000], session_uri: "http://h", ${listener}}\n${STORAGE}\n${more}`;
}

function open(host: string, more = ''): string {
  return `rest_listener: {addr: [${host}, 8000], session_uri: "http://h"${more}}\n${STORAGE}\n`;
}

function mistakes(text: string, parse: (text: string, file: string) => unknown = parseRouterConfig): string[] {
  try {
    parse(text, 'x.yaml');
  } catch (error) {
    return (error as Error).message.split('\n').map((line) => line.replace('x.yaml:', ''));
  }
  return [];
}

describe('the guards of a REST listener', () => {
  it('become paths and names the program can use', () => {
    const { access } = parseRouterConfig(
      router(
        'cert: c, key: k, auth_tokens: t.json, client_ca: ca.pem, trusted_names: [GW.example], trusted_peers: [10.0.0.0/8, "2001:db8::1"], max_inflight_per_peer: 7',
      ),
      '/etc/koukan/router.yaml',
    ).restListener;
    expect(access).toEqual({
      authTokens: '/etc/koukan/t.json',
      clientCa: '/etc/koukan/ca.pem',
      requireClientCert: false,
      trustedNames: ['gw.example'],
      trustedPeers: ['10.0.0.0/8', '2001:db8::1'],
      maxInflightPerPeer: 7,
    });
  });

  it.each([
    ['alone', 'client_ca: a', true],
    ['beside tokens', 'client_ca: a, auth_tokens: t', false],
    ['beside tokens, when that is said', 'client_ca: a, auth_tokens: t, require_client_cert: true', true],
    ['unless that is said', 'client_ca: a, require_client_cert: false', false],
  ])('ask everybody for a certificate %s', (_, keys, isRequired) => {
    const { access } = parseRouterConfig(router(`cert: c, key: k, ${keys}`), 'x.yaml').restListener;
    expect(access.requireClientCert).toBe(isRequired);
  });

  it.each([
    ['certificates without https', 'client_ca: a', "'client_ca' needs https: give 'cert' and 'key'"],
    ['a demand for certificates nobody signs', 'require_client_cert: true', "'require_client_cert' needs 'client_ca'"],
    ['names of certificates nobody signs', 'trusted_names: [a]', "'trusted_names' are names of client certificates"],
    ['what is no network', 'trusted_peers: [10.0.0.0/33]', 'expected a network such as 192.0.2.0/24'],
    ['a host name for a network', 'trusted_peers: [gateway.example]', 'expected a network such as 192.0.2.0/24'],
    ['a mistyped key', 'auth_token: t.json', "unknown key 'auth_token' (did you mean 'auth_tokens'?)"],
  ])('are refused: %s', (_, keys, words) => {
    expect(mistakes(router(keys))).toEqual([expect.stringContaining(words)]);
  });
});

describe('an address that strangers can reach', () => {
  it.each(['0.0.0.0', '"::"', '192.0.2.1', 'mail.example.com', '"[2001:db8::1]"'])('is refused: %s', (host) => {
    const [mistake, ...others] = mistakes(open(host));
    expect(others).toEqual([]);
    expect(mistake).toMatch(
      /^1:17: on .* this listener can be reached from other machines, and it asks nobody who they are/,
    );
    for (const words of ["'auth_tokens: FILE'", "'client_ca: FILE'", "'insecure: true'"])
      expect(mistake).toContain(words);
  });

  it.each(['localhost', '127.0.0.1', '127.8.0.1', '"::1"', '"[::1]"'])('is not %s', (host) => {
    expect(mistakes(open(host))).toEqual([]);
  });

  it.each([
    ['tokens', ', auth_tokens: t'],
    ['required certificates', ', cert: c, key: k, client_ca: a'],
    ['the word that it is meant', ', insecure: true'],
  ])('is allowed with %s', (_, more) => {
    expect(mistakes(open('0.0.0.0', more))).toEqual([]);
  });

  it('is not guarded by certificates that nobody needs', () => {
    expect(mistakes(open('0.0.0.0', ', cert: c, key: k, client_ca: a, require_client_cert: false'))).toHaveLength(1);
  });

  it('is refused for a gateway too', () => {
    const text = 'rest_listener: {addr: [0.0.0.0, 8001], session_uri: "http://h"}';
    expect(mistakes(text, parseGatewayConfig)).toEqual([expect.stringMatching(/^1:17: on 0\.0\.0\.0 /)]);
    expect(mistakes(text.replace('}', ', insecure: true}'), parseGatewayConfig)).toEqual([]);
  });

  it('without TLS has a warning about its tokens, but not on this machine', () => {
    const warnings = (text: string) => parseRouterConfig(text, 'x.yaml').source.warnings;
    expect(warnings(open('0.0.0.0', ', auth_tokens: t'))).toEqual([
      expect.stringMatching(/^x\.yaml:1:65: warning: tokens travel in clear text/),
    ]);
    expect(warnings(open('localhost', ', auth_tokens: t'))).toEqual([]);
    expect(warnings(open('0.0.0.0', ', auth_tokens: t, cert: c, key: k'))).toEqual([]);
  });
});

describe('what a next hop is shown', () => {
  const hop = (keys: string, url = 'https://gw/senders/r/transactions'): string =>
    router('insecure: false', `rest_endpoint: [{name: gw, endpoint: "${url}", sender: r, ${keys}}]\n`);

  it('is a token, or a certificate', () => {
    const endpoints = parseRouterConfig(
      hop('token_file: t, client_cert: c, client_key: k'),
      '/etc/r.yaml',
    ).restEndpoints;
    expect(endpoints.get('gw')?.credentials).toEqual({
      tokenFile: '/etc/t',
      clientCert: '/etc/c',
      clientKey: '/etc/k',
    });
  });

  it.each([
    ['two tokens', 'token: a, token_file: b', "give 'token' or 'token_file', not both"],
    ['a certificate without key', 'client_cert: c', "'client_cert' needs its 'client_key'"],
    ['a key without certificate', 'client_key: c', "'client_key' needs its 'client_cert'"],
    ['a token of two lines', 'token: "a\\nb"', 'a token is made of A-Z'],
  ])('is refused: %s', (_, keys, words) => {
    expect(mistakes(hop(keys))).toEqual([expect.stringContaining(words)]);
  });

  it('is no certificate where there is no TLS', () => {
    expect(mistakes(hop('client_cert: c, client_key: k', 'http://gw/senders/r/transactions'))).toEqual([
      expect.stringContaining("'client_cert' needs an endpoint with https"),
    ]);
  });

  it('is one thing for one URL', () => {
    const two = hop('token: a').replace(
      'token: a}]',
      'token: a}, {name: b, endpoint: "https://gw/senders/r/transactions", sender: r, token: b}]',
    );
    expect(mistakes(two)).toEqual([
      expect.stringContaining('another next hop has this URL too, and other credentials'),
    ]);
  });
});

describe('the files of guards and credentials', () => {
  function folder(files: Readonly<Record<string, string>>): string {
    const at = mkdtempSync(path.join(os.tmpdir(), 'koukan-files-'));
    onTestFinished(() => rmSync(at, { recursive: true }));
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(at, name), text);
    return at;
  }

  it('are read, and what is wrong with them is said with the place that names them', () => {
    const at = folder({ 'tokens.json': '{"shop": {"hash": "x"}}', 'ca.pem': 'no pem', empty: '\n', 'x.yaml': '' });
    const text = `rest_listener:
  addr: [localhost, 8000]
  session_uri: http://h
  cert: absent
  key: absent
  auth_tokens: tokens.json
  client_ca: ca.pem
rest_endpoint:
- {name: gw, endpoint: "https://gw/senders/r/transactions", sender: r, token_file: empty, client_cert: a, client_key: b}
${STORAGE}
`;
    const found = mistakes(text, (yaml) => parseRouterConfig(yaml, path.join(at, 'x.yaml'), { checkFiles: true }));
    const wanted = [
      `6:16: 'auth_tokens': ${at}/tokens.json: "shop": "hash" is not a SHA-256 in hex`,
      `7:14: 'client_ca': there is no certificate (PEM) in ${at}/ca.pem`,
      "9:84: 'token_file': the file is empty",
      `'client_cert': there is no file ${at}/a`,
      `'client_key': there is no file ${at}/b`,
    ];
    for (const each of wanted) expect(found.join('\n')).toContain(each);
  });
});
