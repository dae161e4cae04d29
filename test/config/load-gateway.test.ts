/** The gateway's configuration: what is accepted, what it becomes, and what is said of mistakes. */
import { describe, expect, it } from 'vitest';
import { parseGatewayConfig } from '../../src/lib/config/load.ts';

const LISTENER = 'rest_listener: {addr: [localhost, 8001], session_uri: "http://localhost:8001"}';

function mistakes(text: string): string[] {
  try {
    parseGatewayConfig(text, 'gateway.yaml');
  } catch (error) {
    return (error as Error).message.split('\n').map((line) => line.replace(/^gateway\.yaml:/, ''));
  }
  return [];
}

/** A gateway with one service; `more` goes into it. */
function service(more: string): string {
  return `${LISTENER}
smtp_listener:
  services:
  - {addr: [localhost, 25], endpoint: in, sender: ingress, tag: mx, ${more}}
rest_output:
- {name: in, endpoint: "http://router:8000/senders/ingress/transactions"}
`;
}

const EVERYTHING = `
global: {executor: {max_inflight: 5, watchdog_timeout: 60}}
rest_listener:
  addr: ["[::]", 8001]
  session_uri: http://gw-1:8001
  insecure: true
  chunk_size: 1000
  rest_id_entropy: 20
  gc_interval: 1
  gc_tx_ttl: 2
  gc_done_ttl: 3
smtp_output:
  use_system_smtplib: true
  hosts:
    outbound:
      {ehlo_host: mx.example.com, timeout: 60, protocol: lmtp, enable_bdat: true, chunk_size: 7, max_connections_per_host: 2, idle_timeout: 4}
smtp_listener:
  services:
  - addr: [0.0.0.0, 25]
    endpoint: router
    sender: ingress
    tag: smtp-mx
    cert: /tls/mx.crt
    key: mx.key
    smtps: false
    auth_secrets: secrets.json
    proxy_protocol_timeout: 0.5
    enable_bdat: true
    dsn: false
    chunk_size: 9
    rcpt_timeout: 1
    data_timeout: 2
rest_output:
- {name: router, endpoint: "https://router/senders/ingress/transactions", verify: ca.crt, rcpt_timeout: 3, data_timeout: 4, chunk_size: 5, refresh_interval: 6}
logging: {}
log: {level: warn}
`;

describe('a gateway configuration', () => {
  it('accepts every key of the reference and makes seconds milliseconds', () => {
    const config = parseGatewayConfig(EVERYTHING, '/etc/koukan/gateway.yaml');
    expect(config.global).toEqual({ maxInflight: 5 });
    expect(config.restListener).toEqual({
      addr: { host: '::', port: 8001 },
      sessionUri: 'http://gw-1:8001',
      serviceUri: 'http://gw-1:8001',
      chunkSize: 1000,
      access: { requireClientCert: false },
      restIdEntropy: 20,
      gcTxTtlMs: 2000,
      gcDoneTtlMs: 3000,
    });
    expect(config.smtpOutputs.get('outbound')).toEqual({
      tag: 'outbound',
      ehloHost: 'mx.example.com',
      timeoutMs: 60_000,
      protocol: 'lmtp',
      enableBdat: true,
      chunkSize: 7,
      maxConnectionsPerHost: 2,
      idleTimeoutMs: 4000,
    });
    expect(config.services).toEqual([
      {
        addr: { host: '0.0.0.0', port: 25 },
        endpoint: 'router',
        sender: 'ingress',
        tag: 'smtp-mx',
        tls: { cert: '/tls/mx.crt', key: '/etc/koukan/mx.key' },
        smtps: false,
        authSecrets: '/etc/koukan/secrets.json',
        proxyProtocolTimeoutMs: 500,
        enableBdat: true,
        dsn: false,
        rcptTimeoutMs: 1000,
        dataTimeoutMs: 2000,
      },
    ]);
    expect(config.restOutputs.get('router')).toMatchObject({
      verify: '/etc/koukan/ca.crt',
      rcptTimeoutMs: 3000,
      dataTimeoutMs: 4000,
      refreshIntervalMs: 6000,
    });
    expect(config.source.warnings).toHaveLength(5);
  });

  it('fills in every default', () => {
    const config = parseGatewayConfig(service('smtps: false'), 'gateway.yaml');
    expect(config.restListener).toMatchObject({
      restIdEntropy: 16,
      gcTxTtlMs: 600_000,
      gcDoneTtlMs: 10_000,
    });
    expect(config.services[0]).toMatchObject({ enableBdat: false, rcptTimeoutMs: 40_000, dataTimeoutMs: 310_000 });
    expect(config.restOutputs.get('in')).toEqual({
      name: 'in',
      endpoint: expect.any(String),
      verify: true,
      chunkSize: 65_536,
      refreshIntervalMs: 30_000,
    });
    expect(config.smtpOutputs.size).toBe(0);
  });

  it('may speak only one of its two directions', () => {
    expect(mistakes(`${LISTENER}\nsmtp_output: {hosts: {out: {ehlo_host: h}}}`)).toEqual([]);
    expect(mistakes(service('smtps: false'))).toEqual([]);
  });
});

describe('mistakes in a gateway configuration', () => {
  it.each([
    [
      'an unknown rest_output',
      service('').replace('name: in', 'name: inn'),
      ["4:39: unknown rest_output 'in' (did you mean 'inn'?)"],
    ],
    ['smtps without certificate', service('smtps: true'), ["4:69: 'smtps' needs 'cert' and 'key'"]],
    ['a key without certificate', service('key: k'), ["4:69: 'key' needs its 'cert'"]],
    [
      'smtps behind the PROXY protocol',
      service('smtps: true, cert: c, key: k, proxy_protocol_timeout: 1'),
      ["4:99: the PROXY protocol does not go together with 'smtps'"],
    ],
    [
      'two listeners at one address',
      LISTENER.replace('8001]', '25]') + service('').slice(LISTENER.length),
      ['4:12: there is already a listener at localhost:25'],
    ],
    [
      'a service without sender',
      service('').replace('sender: ingress, ', ''),
      ["4:5: missing 'sender': expected text"],
    ],
    [
      'an unknown protocol',
      `${LISTENER}\nsmtp_output: {hosts: {o: {ehlo_host: h, protocol: smpt}}}`,
      ["2:51: 'protocol': expected smtp or lmtp, not \"smpt\" (did you mean 'smtp'?)"],
    ],
    [
      'a CA that is neither file nor flag',
      `${LISTENER}\nrest_output: [{name: a, endpoint: "http://h/", verify: 3}]`,
      ["2:56: 'verify': expected true or false or text, not 3"],
    ],
  ])('names %s and its place', (_, text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  it('says what to write instead of older keys', () => {
    expect(mistakes(`${LISTENER}\nsmtp_output: {outbound: {ehlo_host: h}}`)).toEqual([
      "2:15: 'outbound' is of an older version: write it under 'smtp_output.hosts', where the key is the tag of the transaction",
    ]);
    expect(mistakes(`${LISTENER}\nrest_output: [{name: mx, host: inbound, endpoint: "http://h/"}]`)).toEqual([
      "2:26: 'host' is of an older version: leave it out, 'endpoint' is the full URL http://HOST:PORT/senders/NAME/transactions",
    ]);
  });

  it('warns of secrets that nobody can use', () => {
    const { warnings } = parseGatewayConfig(service('auth_secrets: s.json'), 'gateway.yaml').source;
    expect(warnings?.[0]).toMatch(/^gateway\.yaml:4:69: warning: AUTH is only offered over TLS/);
  });
});
