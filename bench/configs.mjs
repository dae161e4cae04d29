/**
 * The configurations under test: the chains of config/local-test with nothing left out and nothing tuned, on free ports, with the sink as the only
 * destination. Each gateway has tags of its own, so that what comes in through it goes out through it. A long load brings settings of `storage` that say
 * when garbage is collected: what is delivered would fill the disk within the day that it is kept by default.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';

const DAY_S = 86_400;

const refuse = (tag, matcher, message, more = {}) => ({
  filter: 'policy_action',
  tag,
  match: { matcher, ...more.match },
  action: 'REJECT',
  message,
  ...(more.mode && { mode: more.mode }),
});

const envelopePolicies = [
  refuse('valid_envelope', 'invalid_mail_from', '5.1.7 bad sender address'),
  refuse('valid_rcpt', 'invalid_rcpt_to', '5.1.3 bad recipient address', { mode: 'PER_RCPT' }),
  refuse('max_rcpts', 'num_rcpts', '4.5.3 too many recipients', { mode: 'PER_RCPT', match: { max_rcpts: 100 } }),
];

const RETRY = { max_attempts: 10, min_attempt_time: 1, max_attempt_time: 5, deadline: 60 };
/** What fails stays deferred. */
const RETRY_TOMORROW = { max_attempts: null, min_attempt_time: DAY_S, max_attempt_time: DAY_S, deadline: null };

/** Once for each recipient, behind the exploder, and for what comes over REST. */
const oneRecipient = ({ name, gateway, port, keyFile, retry = RETRY }) => ({
  name,
  output_handler: { retry_params: retry },
  chain: [
    { filter: 'message_builder' },
    { filter: 'received_header', received_hostname: 'bench.example' },
    ...(keyFile === undefined
      ? []
      : [{ filter: 'dkim_sign', domain: 'source.example', selector: 'bench', key: keyFile }]),
    { filter: 'router', destination: { endpoint: gateway, host_list: [{ host: '127.0.0.1', port }] } },
    { filter: 'rest_output' },
  ],
});

/** A tag by which mail comes in through a gateway, and the one its recipients go on with. */
const throughGateway = ({ way, chain }, index) => [
  { name: `${way}-${index}`, output_chain: chain, retry: null, upstream_tag: `each-${way}-${index}` },
  { name: `each-${way}-${index}`, output_chain: `one-${way}-${index}`, retry: null },
];

function routerConfig({ ports, way, sinkPort, closedPort, storageUrl, keyFile, garbage }) {
  const url = `http://127.0.0.1:${ports.router}`;
  const chain = way === 'stored' ? 'stored' : 'relay';
  const gateways = ports.gateways.map((port, index) => ({ name: `gateway-${index}`, port }));
  const signs = way === 'sign' ? { keyFile } : {};
  return {
    rest_listener: { addr: ['127.0.0.1', ports.router], session_uri: url },
    sender: [
      {
        name: 'bench',
        output_chain: `one-${way}-0`,
        // Only this machine reaches it.
        open_relay: true,
        retry: 'output_chain',
        tag: [
          ...gateways.flatMap((_, index) => throughGateway({ way, chain }, index)),
          { name: 'nowhere', output_chain: 'nowhere', retry: 'output_chain' },
        ],
      },
    ],
    rest_endpoint: gateways.map(({ name, port }) => ({
      name,
      endpoint: `http://127.0.0.1:${port}/senders/router/transactions`,
      sender: 'router',
      tag: 'outbound',
    })),
    endpoint: [
      ...(chain === 'relay'
        ? [{ name: 'relay', chain: [...envelopePolicies, { filter: 'exploder' }] }]
        : // Waits for nobody: every message is committed before it is answered, and delivered after.
          [
            {
              name: 'stored',
              chain: [...envelopePolicies, { filter: 'exploder', rcpt_timeout: 0, data_timeout: 0, msa: true }],
            },
          ]),
      ...gateways.map(({ name }, index) =>
        oneRecipient({ name: `one-${way}-${index}`, gateway: name, port: sinkPort, ...signs }),
      ),
      // Nobody listens there.
      oneRecipient({ name: 'nowhere', gateway: 'gateway-0', port: closedPort, retry: RETRY_TOMORROW }),
    ],
    storage: { url: storageUrl, auto_migrate: true, ...garbage },
    log: { level: 'error' },
  };
}

function gatewayConfig({ ports, way }, index) {
  const port = ports.gateways[index];
  return {
    rest_listener: { addr: ['127.0.0.1', port], session_uri: `http://127.0.0.1:${port}` },
    smtp_output: { hosts: { outbound: { ehlo_host: 'bench.example', timeout: 60 } } },
    smtp_listener: {
      services: [
        { addr: ['127.0.0.1', ports.smtp[index]], endpoint: 'router', sender: 'bench', tag: `${way}-${index}` },
      ],
    },
    rest_output: [{ name: 'router', endpoint: `http://127.0.0.1:${ports.router}/senders/bench/transactions` }],
    log: { level: 'error' },
  };
}

/** Writes all files into `dir`; resolves with their paths. */
export async function writeConfigs(dir, settings) {
  const router = path.join(dir, 'router.yaml');
  await writeFile(router, stringify(routerConfig(settings)));
  const gateways = settings.ports.gateways.map((_, index) => path.join(dir, `gateway-${index}.yaml`));
  for (const [index, file] of gateways.entries()) await writeFile(file, stringify(gatewayConfig(settings, index)));
  return { router, gateways };
}
