/** The router's configuration: what is accepted, what it becomes, and what is said of mistakes. */
import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../src/lib/config/invalid-config.ts';
import { parseRouterConfig } from '../../src/lib/config/load.ts';

const LISTENER = 'rest_listener: {addr: [localhost, 8000], session_uri: "http://localhost:8000/"}';
const STORAGE = 'storage: {url: sqlite:///x.sqlite}';

function minimal(more = ''): string {
  return `${LISTENER}\n${STORAGE}\n${more}`;
}

/** The mistakes in a text, without the file name. */
function mistakes(text: string): string[] {
  try {
    parseRouterConfig(text, 'router.yaml');
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidConfigError);
    expect((error as InvalidConfigError).exitCode).toBe(78);
    return (error as Error).message.split('\n').map((line) => line.replace(/^router\.yaml:/, ''));
  }
  return [];
}

const EVERYTHING = `
global:
  dequeue: false
  executor:
    rest: {max_inflight: 7, watchdog_timeout: 10}
    output: {max_inflight: 8, watchdog_timeout: 60}
  mailer_daemon_mailbox: mailer-daemon@example.com
  rest_id_entropy: 24
rest_listener:
  addr: ["::1", 8443]
  cert: a.crt
  key: a.key
  session_uri: https://node1.example.com:8443
  service_uri: https://mail.example.com
  chunk_size: 4096
sender:
- name: app
  output_chain: out
  retry: output_chain
  notification: output_chain
  upstream_sender: app
  upstream_tag: second
  tag:
  - {name: first, output_chain: other, retry: null, notification: null, upstream_tag: first}
  - {name: second, remote_host: 192.0.2.1, smtp_meta: {ehlo_host: x, tls: true}}
rest_endpoint:
- {name: gw, endpoint: "http://gw:8001/senders/router/transactions", sender: router, tag: outbound, options: {receive_parsing: null}}
endpoint:
- name: out
  output_handler:
    downstream_timeout: 2.5
    upstream_refresh: 1
    retry_params: {max_attempts: null, min_attempt_time: 2, max_attempt_time: 5, backoff_factor: 2, deadline: null, bug_retry: 9}
    notification: {sender: app, tag: first, delay_after: 90}
  chain:
  - filter: received_header
    received_hostname: mx.example.com
  - filter: rest_output
- name: other
  msa: true
  chain: [{filter: exploder}]
modules:
  sync_filter: {hello: koukan.hello_filter}
storage:
  url: postgresql+psycopg://me@/mail?host=/var/run/postgresql
  auto_migrate: true
  gc_interval: 30
  gc_ttl: 3600
  session_refresh_interval: 1
  session_ttl: 4
  blob_tx_refresh_interval: 10
  cache_ttl: 0
logging: {version: 1}
log: {level: debug, format: text}
`;

describe('a router configuration', () => {
  it('accepts every key of the reference and makes seconds milliseconds', () => {
    const config = parseRouterConfig(EVERYTHING, '/etc/koukan/router.yaml');
    expect(config.global).toEqual({
      dequeue: false,
      restMaxInflight: 7,
      outputMaxInflight: 8,
      mailerDaemonMailbox: 'mailer-daemon@example.com',
      restIdEntropy: 24,
    });
    expect(config.restListener).toEqual({
      addr: { host: '::1', port: 8443 },
      tls: { cert: '/etc/koukan/a.crt', key: '/etc/koukan/a.key' },
      sessionUri: 'https://node1.example.com:8443',
      serviceUri: 'https://mail.example.com',
      chunkSize: 4096,
      access: { requireClientCert: false },
    });
    expect(config.restEndpoints.get('gw')).toMatchObject({
      sender: 'router',
      tag: 'outbound',
      options: { receive_parsing: null },
    });
    expect(config.chains.get('out')?.outputHandler).toEqual({
      downstreamTimeoutMs: 2500,
      upstreamRefreshMs: 1000,
      retryParams: {
        maxAttempts: null,
        minAttemptTimeMs: 2000,
        maxAttemptTimeMs: 5000,
        backoffFactor: 2,
        deadlineMs: null,
        bugRetryMs: 9000,
      },
      notification: { sender: 'app', tag: 'first', delayAfterMs: 90_000 },
    });
    expect(config.chains.get('out')?.steps).toEqual([
      {
        filter: 'received_header',
        options: { received_hostname: 'mx.example.com' },
        path: ['endpoint', 0, 'chain', 0],
      },
      { filter: 'rest_output', options: {}, path: ['endpoint', 0, 'chain', 1] },
    ]);
    expect(config.storage).toEqual({
      url: 'postgresql://me@/mail?host=/var/run/postgresql',
      autoMigrate: true,
      gcIntervalMs: 30_000,
      gcTtlMs: 3_600_000,
      sessionRefreshIntervalMs: 1000,
      sessionTtlMs: 4000,
      cacheTtlMs: 0,
    });
    expect(config.log).toEqual({ level: 'debug', format: 'text' });
  });

  it('gives every tag what it says, and the rest from its sender', () => {
    const family = parseRouterConfig(EVERYTHING, 'router.yaml').senders.get('app');
    expect(family?.untagged).toEqual({
      name: 'app',
      outputChain: 'out',
      retry: true,
      notification: true,
      upstreamSender: 'app',
      upstreamTag: 'second',
    });
    expect(family?.tags.get('first')).toEqual({
      name: 'app',
      tag: 'first',
      outputChain: 'other',
      retry: false,
      notification: false,
      upstreamSender: 'app',
      upstreamTag: 'first',
    });
    expect(family?.tags.get('second')).toMatchObject({
      outputChain: 'out',
      retry: true,
      remoteHost: '192.0.2.1',
      smtpMeta: { ehloHost: 'x', esmtp: true, tls: true, auth: false },
    });
  });

  it('says what it accepts but does not use', () => {
    const { warnings } = parseRouterConfig(EVERYTHING, 'router.yaml').source;
    expect(warnings?.map((line) => line.replace(/^router\.yaml:(\d+:\d+): warning: (\S+ ?\S*).*/, '$1 $2'))).toEqual([
      "5:29 'watchdog_timeout' has",
      "6:31 'watchdog_timeout' has",
      "40:3 'msa' has",
      "51:3 'blob_tx_refresh_interval' has",
      "53:1 Python's 'logging'",
    ]);
  });

  it('fills in every default', () => {
    const config = parseRouterConfig(minimal('global:\nlog:\nsender:\n'), 'router.yaml');
    expect(config.global).toEqual({ dequeue: true, restMaxInflight: 1000, outputMaxInflight: 1000, restIdEntropy: 16 });
    expect(config.restListener).toMatchObject({
      sessionUri: 'http://localhost:8000',
      serviceUri: 'http://localhost:8000',
      chunkSize: 1_048_576,
    });
    expect(config.storage).toEqual({
      url: 'sqlite:///x.sqlite',
      autoMigrate: false,
      gcIntervalMs: 60_000,
      gcTtlMs: 86_400_000,
      sessionRefreshIntervalMs: 30_000,
      sessionTtlMs: 150_000,
      cacheTtlMs: 5000,
    });
    expect(config.log).toEqual({ level: 'info', format: 'json' });
    expect(config.source.warnings).toEqual([]);
  });

  it('applies the documented retry times where an endpoint gives none', () => {
    const config = parseRouterConfig(minimal('endpoint: [{name: e, chain: [{filter: f}]}]'), 'router.yaml');
    expect(config.chains.get('e')?.outputHandler).toEqual({
      downstreamTimeoutMs: 60_000,
      upstreamRefreshMs: 30_000,
      retryParams: {
        maxAttempts: 30,
        minAttemptTimeMs: 60_000,
        maxAttemptTimeMs: 3_600_000,
        backoffFactor: 1.5,
        deadlineMs: 86_400_000,
        bugRetryMs: 3_600_000,
      },
    });
  });

  it('cannot be changed by anyone', () => {
    const config = parseRouterConfig(EVERYTHING, 'router.yaml');
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.chains.get('out')?.steps[0]?.options)).toBe(true);
    expect(Object.isFrozen(config.senders.get('app')?.untagged)).toBe(true);
  });

  it('raises an entropy that can be guessed, with a warning', () => {
    const config = parseRouterConfig(minimal('global: {rest_id_entropy: 4}'), 'router.yaml');
    expect(config.global.restIdEntropy).toBe(16);
    expect(config.source.warnings).toEqual([
      "router.yaml:3:27: warning: 'rest_id_entropy' of 4 bytes can be guessed: 16 are used",
    ]);
  });

  it('warns of a sender whose bounces nobody takes', () => {
    const text = minimal(`sender: [{name: s, output_chain: e, notification: output_chain}]
endpoint: [{name: e, chain: [{filter: f}]}]`);
    expect(parseRouterConfig(text, 'router.yaml').source.warnings).toEqual([
      "router.yaml:3:51: warning: no bounces will be sent: endpoint 'e' has no 'output_handler.notification'",
    ]);
  });
});

describe('mistakes in a router configuration', () => {
  it.each([
    ['an unknown section', minimal('storag: 1'), ["3:1: unknown key 'storag' (did you mean 'storage'?)"]],
    ['an unknown key', minimal('global: {dequeu: true}'), ["3:10: unknown key 'dequeu' (did you mean 'dequeue'?)"]],
    [
      'an unknown key like no other',
      minimal('log: {colour: true}'),
      ["3:7: unknown key 'colour' (known here: level, format)"],
    ],
    ['a wrong type', minimal('global: {dequeue: maybe}'), ['3:19: \'dequeue\': expected true or false, not "maybe"']],
    [
      'a wrong word',
      minimal('log: {level: wran}'),
      ["3:14: 'level': expected debug, info, warn, error or silent, not \"wran\" (did you mean 'warn'?)"],
    ],
    ['a mapping for a list', minimal('sender: {name: x}'), ["3:9: 'sender': expected a list, not a mapping"]],
    ['a missing section', LISTENER, ["1:1: missing 'storage': expected a mapping"]],
    [
      'a missing key',
      minimal('sender: [{output_chain: e}]\nendpoint: [{name: e, chain: [{filter: f}]}]'),
      ["3:10: missing 'name': expected text"],
    ],
    ['an empty chain', minimal('endpoint: [{name: e, chain: []}]'), ["3:29: 'chain': is empty"]],
    [
      'a negative time',
      minimal('endpoint: [{name: e, output_handler: {downstream_timeout: -1}, chain: [{filter: f}]}]'),
      ["3:59: 'downstream_timeout': must be more than 0, not -1"],
    ],
    [
      'a relative URL',
      `${STORAGE}\nrest_listener: {addr: [h, 1], session_uri: localhost:8000, insecure: true}`,
      ['2:44: \'session_uri\': expected an absolute URL such as http://localhost:8000, not "localhost:8000"'],
    ],
    [
      'an address without port',
      `${STORAGE}\nrest_listener: {addr: localhost, session_uri: "http://h"}`,
      ["2:23: 'addr': expected [host, port], such as [127.0.0.1, 8000]"],
    ],
    [
      'a port out of range',
      `${STORAGE}\nrest_listener: {addr: [h, 65536], session_uri: "http://h", insecure: true}`,
      ["2:27: 'addr[1]': must be at most 65535, not 65536"],
    ],
    [
      'a host with a slash',
      `${STORAGE}\nrest_listener: {addr: [a/b, 1], session_uri: "http://h", insecure: true}`,
      ['2:24: \'addr[0]\': expected a host name or IP address, not "a/b"'],
    ],
    [
      'a bad address',
      minimal('global: {mailer_daemon_mailbox: nobody}'),
      ['3:33: \'mailer_daemon_mailbox\': expected an address such as mailer-daemon@example.com, not "nobody"'],
    ],
    [
      'a rest_endpoint without sender',
      minimal('rest_endpoint: [{name: g, endpoint: "http://h/"}]'),
      ["3:17: missing 'sender': expected text"],
    ],
    [
      'a certificate without key',
      `${STORAGE}\nrest_listener: {addr: [h, 1], session_uri: "http://h", cert: c, insecure: true}`,
      ["2:56: 'cert' needs its 'key'"],
    ],
    [
      'a database in memory',
      `${LISTENER}\nstorage: {url: "sqlite://"}`,
      ["2:16: 'url': a database in memory would lose mail: name a file, such as sqlite:///koukan.sqlite"],
    ],
    [
      'sessions that die before they are refreshed',
      `${LISTENER}\nstorage: {url: sqlite:///x, session_ttl: 5}`,
      [
        "2:42: 'session_ttl' must be at least 90, 3 times 'session_refresh_interval' (30), or live sessions are taken for dead",
      ],
    ],
    ['two keys of one name', minimal('log: {}\nlog: {}'), ['4:1: not YAML: Map keys must be unique']],
  ])('names %s and its place', (_, text, expected) => {
    expect(mistakes(text)).toEqual(expected);
  });

  it('finds names used twice and references that lead nowhere', () => {
    const text = minimal(`sender:
- {name: a, output_chain: ou, upstream_sender: b}
- {name: a, output_chain: out, upstream_tag: x, tag: [{name: t}, {name: t, upstream_tag: tt}]}
rest_endpoint:
- {name: g, endpoint: "http://h/", sender: s}
- {name: g, endpoint: "http://h/", sender: s}
endpoint:
- name: out
  output_handler: {notification: {sender: aa, tag: t}}
  chain: [{filter: f}]
- {name: out, chain: [{filter: f}]}
`);
    expect(mistakes(text)).toEqual([
      "4:27: unknown endpoint 'ou' (did you mean 'out'?)",
      "4:48: unknown sender 'b' (there are: a)",
      "5:10: there is already a sender 'a'",
      "5:46: unknown tag 'x' of sender 'a' (there is none)",
      "5:73: there is already a tag 't'",
      "5:90: unknown tag 'tt' of sender 'a' (there is none)",
      "8:10: there is already a rest_endpoint 'g'",
      "11:35: notifications need 'global.mailer_daemon_mailbox', the address they come from",
      "11:43: unknown sender 'aa' (there are: a)",
      "13:10: there is already an endpoint 'out'",
    ]);
  });

  it.each([
    ['endpoint: [{name: e, rest_lro: true, chain: [{filter: f}]}]', "'rest_lro' is of an older version: leave it out"],
    [
      'endpoint: [{name: e, output_handler: {downstream_env_timeout: 1}, chain: [{filter: f}]}]',
      "write 'downstream_timeout'",
    ],
    [
      'endpoint: [{name: e, output_handler: {retry_params: {mode: per_request}}, chain: [{filter: f}]}]',
      "write 'retry: output_chain' at the sender",
    ],
    ['global: {gc_interval: 5}', "write 'gc_interval' under 'storage'"],
  ])('says what to write instead of an older key: %s', (more, expected) => {
    const [only, ...others] = mistakes(minimal(more));
    expect(only).toContain(expected);
    expect(others).toEqual([]);
  });

  it('reports what is wrong in the schema and between sections together', () => {
    expect(mistakes(minimal('sender: [{name: s, output_chain: e, retri: null}]\nlog: {level: loud}')).length).toBe(3);
  });
});
