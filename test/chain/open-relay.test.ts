/** Open relays are found when the configuration is loaded: what counts as one, what does not, and what is said. */
import { describe, expect, it } from 'vitest';
import { openRelays } from '../../src/lib/chain/open-relay.ts';
import { registry } from '../../src/lib/chain/registry.ts';
import { parseGatewayConfig, parseRouterConfig } from '../../src/lib/config/load.ts';

const OUT = '{filter: rest_output}';
const TO_DOMAIN = '{filter: router, policy: {name: dest_domain, destination: {endpoint: gateway}}}';
const TO_ANYWHERE = '{filter: router, destination: {endpoint: gateway, host_list: [{host: relay.example, port: 25}]}}';
const OURS = '{filter: router, policy: {name: address_list, domains: [example.com], destination: {endpoint: gateway}}}';
const NOBODY = '{filter: router}';

function policy(match: string, more = 'action: REJECT'): string {
  return `{filter: policy_action, tag: relay, match: ${match}, ${more}}`;
}

const NOT_AUTH = policy('{not: {matcher: smtp_auth}}');

interface Chains {
  /** The chain that faces SMTP, without its exploder. */
  readonly front?: readonly string[];
  /** The chain of each recipient. */
  readonly back?: readonly string[];
  readonly sender?: string;
  readonly more?: string;
}

function router({ front = [], back = [TO_DOMAIN, OUT], sender = '', more = '' }: Chains): string {
  const steps = (all: readonly string[]): string => all.map((step) => `  - ${step}\n`).join('');
  return `rest_listener: {addr: [localhost, 8000], session_uri: "http://localhost:8000"}
storage: {url: sqlite:///x.sqlite}
rest_endpoint:
- {name: gateway, endpoint: "http://gw.example:8001/senders/router/transactions", sender: router, tag: out}
- {name: self, endpoint: "http://localhost:8000/senders/inner/transactions", sender: inner}
sender:
- {name: submission, output_chain: front, upstream_sender: inner${sender}}
- {name: inner, output_chain: back}
endpoint:
- name: front
  chain:
${steps([...front, '{filter: exploder}'])}- name: back
  chain:
${steps(back)}${more}`;
}

function gateway(addr: string, more = '', url = 'http://localhost:8000/senders/submission/transactions'): string {
  return `rest_listener: {addr: [localhost, 8001], session_uri: "http://gw.example:8001"}
smtp_output: {hosts: {out: {ehlo_host: gw.example}}}
smtp_listener:
  services:
  - {addr: [${addr}, 2525], endpoint: r, sender: submission${more}}
rest_output:
- {name: r, endpoint: "${url}"}
`;
}

function relays(text: string, gatewayText?: string): string[] {
  const config = parseRouterConfig(text, 'router.yaml');
  const other = gatewayText === undefined ? undefined : parseGatewayConfig(gatewayText, 'gateway.yaml');
  return openRelays(config, other, registry).map(({ line, col, message }) => `${line}:${col} ${message}`);
}

describe('an open relay is', () => {
  it.each<readonly [string, Chains]>([
    ['a way to the domain of any recipient', {}],
    ['a way to one host for every recipient', { back: [TO_ANYWHERE, OUT] }],
    [
      'a list of local parts at any domain',
      {
        back: [
          '{filter: router, policy: {name: address_list, prefixes: [bob], destination: {endpoint: gateway}}}',
          OUT,
        ],
      },
    ],
    [
      'a fixed next hop',
      { back: ['{filter: rest_output, static_endpoint: "http://gw.example:8001/senders/r/transactions"}'] },
    ],
    ['what comes behind the list of our domains', { front: [OURS], back: [OURS, TO_DOMAIN, OUT] }],
    ['a policy that only rejects some', { front: [policy('{matcher: network_address, cidr: 203.0.113.0/24}')] }],
    ['a policy that only marks', { front: [policy('{not: {matcher: smtp_auth}}', 'action: MATCH')] }],
    [
      'a policy that rejects most of the time',
      {
        front: [policy('{not: {matcher: smtp_auth}}', 'action: [[9, REJECT], [1, LOG]]')],
      },
    ],
    [
      'a policy that asks for more than authentication',
      {
        front: [policy('{all: [{matcher: invalid_mail_from}, {not: {matcher: smtp_auth}}]}')],
      },
    ],
    ['a network that is the Internet', { front: [policy('{not: {matcher: network_address, cidr: 0.0.0.0/0}}')] }],
    ['encryption, which anybody has', { front: [policy('{not: {matcher: smtp_tls}}')] }],
    [
      'a policy whose tag is settled by what anybody can say',
      {
        front: [
          policy('{matcher: address_list, which_addr: mail_from, domains: [example.com]}', 'action: MATCH'),
          NOT_AUTH,
        ],
      },
    ],
    [
      'a short circuit that says everybody has authenticated',
      {
        front: [],
        sender: ', smtp_meta: {auth: true}',
        back: [NOT_AUTH, TO_DOMAIN, OUT],
      },
    ],
  ])('%s', (_, chains) => {
    expect(relays(router(chains))).toHaveLength(1);
  });

  it('named with the step that lets the message out, and with what to write', () => {
    const [mistake, ...others] = relays(router({ front: [OURS] }));
    expect(others).toEqual([]);
    expect(mistake).toMatch(/^16:6 an open relay: over the SMTP sender 'submission' anybody can send to any address/);
    expect(mistake).toContain('match: {not: {matcher: smtp_auth}}, action: REJECT');
    expect(mistake).toContain("'open_relay: true' at the sender");
  });

  it('a copy of each message that goes on', () => {
    const more = `- {name: copies, chain: [${TO_DOMAIN}, ${OUT}]}\n`;
    const text = router({ front: ['{filter: add_route, sender: archive}', NOT_AUTH], more }).replace(
      'endpoint:\n- name: front',
      '- {name: archive, output_chain: copies}\nendpoint:\n- name: front',
    );
    expect(relays(text)).toHaveLength(1);
  });
});

describe('no open relay is', () => {
  it.each<readonly [string, Chains]>([
    ['a chain that rejects who has not authenticated', { front: [NOT_AUTH] }],
    ['one that does so for each recipient by itself', { back: [NOT_AUTH, TO_DOMAIN, OUT] }],
    ['one that does so after routing', { back: [TO_DOMAIN, NOT_AUTH, OUT] }],
    ['the gate of older configurations', { front: ['{filter: relay_auth, smtp_auth: true}'] }],
    [
      'one for who is in our networks, or has authenticated',
      {
        front: [policy('{not: {any: [{matcher: smtp_auth}, {matcher: network_address, cidr: 10.0.0.0/8}]}}')],
      },
    ],
    [
      'one for strangers that write to our domains',
      {
        front: [
          policy(
            '{all: [{not: {matcher: smtp_auth}}, {not: {matcher: address_list, which_addr: rcpt_to, domains: [example.com]}}]}',
            'mode: PER_RCPT, action: REJECT',
          ),
        ],
      },
    ],
    [
      'one whose networks settle the tag before everybody is rejected',
      {
        front: [
          policy('{matcher: network_address, cidr: 10.0.0.0/8}', 'action: MATCH'),
          '{filter: policy_action, tag: relay, action: REJECT}',
        ],
      },
    ],
    [
      'one that rejects whom an earlier policy has not marked',
      {
        front: [
          '{filter: policy_action, tag: known, match: {matcher: smtp_auth}, action: MATCH}',
          policy('{not: {matcher: policy_action, tag: known}}'),
        ],
      },
    ],
    ['one that knows only our domains', { front: [OURS, NOBODY] }],
    ['one whose recipients only find ours', { back: [OURS, NOBODY, OUT] }],
    ['one whose recipients have no route', { back: [OURS, OUT] }],
    [
      'one that looks first whether the recipient is ours',
      {
        front: [OURS.replace('router,', 'router, dry_run: true,'), NOBODY],
      },
    ],
    ['one that is said to be', { sender: ', open_relay: true' }],
  ])('%s', (_, chains) => {
    expect(relays(router(chains))).toEqual([]);
  });

  it.each([
    ['is closed', [OURS, NOBODY, OUT], 0],
    ['is open', [TO_DOMAIN, OUT], 1],
  ] as const)('decided by a way back into this router, but by the chain there: it %s', (_, inner, count) => {
    const again = `- {name: again, output_chain: again}\nendpoint:\n- name: again\n  chain:\n`;
    const back = `  - {filter: router, destination: {endpoint: self}}\n  - ${OUT}\n`;
    const text = router({ back: inner })
      .replace('upstream_sender: inner', 'upstream_sender: again')
      .replace('endpoint:\n- name: front', `${again}${back}- name: front`);
    expect(relays(text)).toHaveLength(count);
  });
});

describe('with the gateway that belongs to it', () => {
  it.each(['0.0.0.0', '"::"', '192.0.2.1', 'mail.example.com'])('a port at %s is looked at', (addr) => {
    expect(relays(router({}), gateway(addr))).toHaveLength(1);
  });

  it.each(['127.0.0.1', 'localhost', '"::1"'])('a port at %s serves this machine only', (addr) => {
    expect(relays(router({}), gateway(addr))).toEqual([]);
  });

  it('a port of this machine behind a proxy serves who is in front of the proxy', () => {
    expect(relays(router({}), gateway('127.0.0.1', ', proxy_protocol_timeout: 5'))).toHaveLength(1);
  });

  it('a sender that no port leads to is left alone', () => {
    const url = 'http://localhost:8000/senders/inner/transactions';
    expect(relays(router({ back: [OURS, NOBODY, OUT] }), gateway('0.0.0.0', '', url))).toEqual([]);
  });

  it('a gateway that leads somewhere else says nothing about this router', () => {
    const url = 'http://other.example:8000/senders/submission/transactions';
    expect(relays(router({}), gateway('127.0.0.1', '', url))).toHaveLength(1);
  });
});
