/** What `koukan config migrate` makes of configurations of older generations; what it makes must load. */
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { migrateConfig } from '../../src/lib/config/migrate/migrate-config.ts';
import { checkedText } from '../helpers/checked-text.ts';

const oldestRouter = `# our router
global:
  mailer_daemon_mailbox: mailer-daemon@example.com
  gc_interval: 60
rest_listener:
  addr: [127.0.0.1, 8000]
  session_uri: http://127.0.0.1:8000
  use_gunicorn: false
storage:
  url: sqlite:///test.sqlite
endpoint:
- name: submission        # port 587
  rest_lro: true
  msa: true
  chain:
  - filter: relay_auth
    smtp_auth: true
  - filter: exploder
    output_chain: outbound
- name: outbound
  output_handler:
    downstream_env_timeout: 30
    downstream_data_timeout: 60
    retry_params:
      mode: per_request
      max_attempts: 5
    notification:
      mode: per_request
      host: outbound
  chain:
  - filter: dkim
    key: /etc/koukan/k.pem
    domain: example.com
    selector: s1
  - filter: received_header
    max_received_headers: 20
  - filter: router
    policy:
      name: dest_domain
      destination:
        endpoint: http://127.0.0.1:8001/
        http_host: outbound
  - filter: rest_output
`;

describe('a router of the oldest generation', () => {
  const { text, notes } = migrateConfig(oldestRouter, 'router.yaml', 'router');
  const migrated = parse(text) as Record<string, unknown>;

  it('loads after it, but for the key file that is not on this machine', async () => {
    const left = await checkedText(text, 'router');
    expect(left.filter((line) => !line.includes('k.pem'))).toEqual([]);
  });

  it('has a sender for each endpoint, which asks for retries and bounces', () => {
    expect(migrated.sender).toEqual([
      { name: 'submission', output_chain: 'submission', upstream_sender: 'outbound' },
      { name: 'outbound', output_chain: 'outbound', retry: 'output_chain', notification: 'output_chain' },
    ]);
  });

  it('names its next hop once', () => {
    const endpoint = 'http://127.0.0.1:8001/senders/outbound/transactions';
    expect(migrated.rest_endpoint).toEqual([{ name: 'outbound', endpoint, sender: 'outbound', tag: 'outbound' }]);
  });

  it('has today’s filters, in an order that works', () => {
    const [submission, outbound] = migrated.endpoint as { chain: { filter: string }[]; output_handler: unknown }[];
    expect(submission?.chain).toEqual([
      {
        filter: 'policy_action',
        tag: 'relay_auth',
        match: { not: { matcher: 'smtp_auth' } },
        action: 'REJECT',
        code: 550,
        message: '5.7.1 not authorized',
      },
      { filter: 'exploder', msa: true },
    ]);
    expect(outbound?.chain.map(({ filter }) => filter)).toEqual([
      'dkim_sign',
      'message_validation',
      'policy_action',
      'received_header',
      'router',
      'rest_output',
    ]);
    expect(outbound?.output_handler).toEqual({
      downstream_timeout: 60,
      retry_params: { max_attempts: 5 },
      notification: { sender: 'outbound' },
    });
  });

  it('keeps comments, and says what was changed and where it was', () => {
    expect(text).toContain('# our router');
    expect(text).toContain('# port 587');
    const lines = oldestRouter.split('\n');
    const lineOf = (what: string): number => lines.findIndex((line) => line.includes(what)) + 1;
    expect(notes).toContainEqual({
      line: lineOf('- filter: dkim'),
      text: "the filter 'dkim' is called 'dkim_sign'",
    });
  });
});

describe('a router of the middle generation', () => {
  const middle = `
rest_listener: {addr: [127.0.0.1, 8000], session_uri: "http://127.0.0.1:8000"}
storage: {url: "sqlite:///test.sqlite"}
sender:
- {name: app, output_chain: out}
- {name: archive, output_chain: out, retry: null}
endpoint:
- name: out
  output_handler: {retry_params: {mode: per_request}}
  chain:
  - {filter: add_route, output_chain: archive}
  - {filter: rest_output, static_endpoint: "http://127.0.0.1:8001/senders/x/transactions", remote_host_discovery: {mx: true}}
`;
  const { text } = migrateConfig(middle, 'router.yaml', 'router');
  const migrated = parse(text) as { sender: unknown; endpoint: { chain: unknown }[] };

  it('asks for retries at the senders that do not say otherwise', () => {
    expect(migrated.sender).toEqual([
      { name: 'app', output_chain: 'out', retry: 'output_chain' },
      { name: 'archive', output_chain: 'out', retry: null },
    ]);
  });

  it('asks for retries at tags with a chain of their own as that chain did', () => {
    const tags = `
rest_listener: {addr: [127.0.0.1, 8000], session_uri: "http://127.0.0.1:8000"}
storage: {url: "sqlite:///test.sqlite"}
sender:
- name: app
  output_chain: out
  tag: [{name: same}, {name: once, output_chain: once}, {name: own, output_chain: once, retry: output_chain}]
- name: list
  output_chain: once
  tag: [{name: same}, {name: later, output_chain: out}]
endpoint:
- {name: out, output_handler: {retry_params: {mode: per_request}}, chain: [{filter: rest_output}]}
- {name: once, chain: [{filter: rest_output}]}
`;
    const { text } = migrateConfig(tags, 'router.yaml', 'router');
    expect(text).toContain('{name: once, output_chain: once, retry: null}');
    expect(parse(text)).toMatchObject({
      sender: [
        {
          retry: 'output_chain',
          tag: [{ name: 'same' }, { name: 'once', retry: null }, { name: 'own', retry: 'output_chain' }],
        },
        { name: 'list', tag: [{ name: 'same' }, { name: 'later', retry: 'output_chain' }] },
      ],
    });
  });

  it('names the sender of a copy, and finds hosts by a filter', () => {
    expect(migrated.endpoint[0]?.chain).toEqual([
      { filter: 'add_route', sender: 'archive' },
      { filter: 'dns_resolution', suffix: '' },
      { filter: 'rest_output', static_endpoint: 'http://127.0.0.1:8001/senders/x/transactions' },
    ]);
  });
});

describe('a gateway of the oldest generation', () => {
  const old = `
rest_listener: {addr: [127.0.0.1, 8001], session_uri: "http://127.0.0.1:8001"}
rest_output:
- name: mx
  host: inbound
  endpoint: http://127.0.0.1:8000/
smtp_listener:
  services:
  - {addr: [127.0.0.1, 1025], endpoint: mx}
smtp_output:
  outbound: {ehlo_host: mail.example.com}
`;
  const { text } = migrateConfig(old, 'gateway.yaml', 'gateway');

  it('loads after it', async () => {
    expect(await checkedText(text, 'gateway')).toEqual([]);
  });

  it('posts to the sender its host was, and has its profiles below hosts', () => {
    expect(parse(text)).toMatchObject({
      rest_output: [{ name: 'mx', endpoint: 'http://127.0.0.1:8000/senders/inbound/transactions' }],
      smtp_listener: { services: [{ endpoint: 'mx', sender: 'inbound' }] },
      smtp_output: { hosts: { outbound: { ehlo_host: 'mail.example.com' } } },
    });
  });
});

describe('a file with aliases', () => {
  const aliased = `
global: {mailer_daemon_mailbox: mailer-daemon@example.com}
rest_listener: {addr: [127.0.0.1, 8000], session_uri: "http://127.0.0.1:8000"}
storage: {url: "sqlite:///test.sqlite"}
endpoint:
- name: submission
  msa: true
  output_handler: &handler
    retry_params: {mode: per_request}
    notification: {mode: per_request, host: &bounces out}
  chain:
  - filter: relay_auth
    smtp_auth: true
  - &explode {filter: exploder, output_chain: out}
- name: mx
  output_handler: *handler
  chain:
  - filter: router
  - *explode
- name: out
  output_handler: {notification: {host: *bounces}}
  chain:
  - {filter: received_header}
  - {filter: rest_output, static_endpoint: "http://127.0.0.1:8001/senders/x/transactions"}
`;
  const { text } = migrateConfig(aliased, 'router.yaml', 'router');

  it('loads after it', async () => {
    expect(await checkedText(text, 'router')).toEqual([]);
  });

  it('asks for every endpoint what it asked for, and changes each chain by itself', () => {
    const migrated = parse(text) as { sender: unknown; endpoint: { chain: unknown[] }[] };
    const asks = { upstream_sender: 'out', retry: 'output_chain', notification: 'output_chain' };
    expect(migrated.sender).toEqual([
      { name: 'submission', output_chain: 'submission', ...asks },
      { name: 'mx', output_chain: 'mx', ...asks },
      { name: 'out', output_chain: 'out', notification: 'output_chain' },
    ]);
    const exploders = migrated.endpoint.slice(0, 2).map(({ chain }) => chain.at(-1));
    expect(exploders).toEqual([{ filter: 'exploder', msa: true }, { filter: 'exploder' }]);
  });

  it('keeps the bound of hops that the oldest routers had without being told', () => {
    expect(text).toMatch(/max_received_headers: 30\n[\s\S]*- \{filter: received_header\}/);
  });
});

it.each([
  [
    'router',
    'endpoint: [{name: a, chain: [{filter: router, destination: {endpoint: "http://a b:99999/", http_host: x}}]}]',
  ],
  ['gateway', 'rest_output: [{name: a, host: b, endpoint: "http://a b:99999/"}]'],
] as const)('leaves a URL of a %s that is none to the checker', (kind, text) => {
  expect(migrateConfig(text, 'old.yaml', kind).text).toContain('http://a b:99999/');
});

it('leaves a file of today as it is, byte for byte', () => {
  const text = 'rest_listener:   {addr: [127.0.0.1, 8000]}\nstorage: {url:  "sqlite:///x"}   # odd spaces\n';
  expect(migrateConfig(text, 'router.yaml', 'router')).toEqual({ text, notes: [] });
});
