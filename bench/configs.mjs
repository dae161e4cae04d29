/** The configurations under test: the chains of config/local-test with nothing left out, on free ports, with the sink as the only destination. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';

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

/** Once for each recipient, behind the exploder, and for what comes over REST. */
const oneRecipient = (sinkPort) => ({
  output_handler: { retry_params: { max_attempts: 10, min_attempt_time: 1, max_attempt_time: 5, deadline: 60 } },
  chain: [
    { filter: 'message_builder' },
    { filter: 'received_header', received_hostname: 'bench.example' },
    { filter: 'router', destination: { endpoint: 'gateway', host_list: [{ host: '127.0.0.1', port: sinkPort }] } },
    { filter: 'rest_output' },
  ],
});

function routerConfig({ ports, sinkPort, storageUrl }) {
  const url = `http://127.0.0.1:${ports.router}`;
  const upstream = { upstream_tag: 'each' };
  return {
    rest_listener: { addr: ['127.0.0.1', ports.router], session_uri: url },
    sender: [
      {
        name: 'bench',
        output_chain: 'one-recipient',
        // Only this machine reaches it.
        open_relay: true,
        retry: 'output_chain',
        tag: [
          { name: 'relay', output_chain: 'relay', retry: null, ...upstream },
          { name: 'stored', output_chain: 'stored', retry: null, ...upstream },
          { name: 'each', retry: null },
        ],
      },
    ],
    rest_endpoint: [
      {
        name: 'gateway',
        endpoint: `http://127.0.0.1:${ports.gateway}/senders/router/transactions`,
        sender: 'router',
        tag: 'outbound',
      },
    ],
    endpoint: [
      { name: 'relay', chain: [...envelopePolicies, { filter: 'exploder' }] },
      // Waits for nobody: every message is committed before it is answered, and delivered after.
      {
        name: 'stored',
        chain: [...envelopePolicies, { filter: 'exploder', msa: true, rcpt_timeout: 0, data_timeout: 0 }],
      },
      { name: 'one-recipient', ...oneRecipient(sinkPort) },
    ],
    storage: { url: storageUrl, auto_migrate: true },
    log: { level: 'error' },
  };
}

function gatewayConfig({ ports, smtpTag }) {
  return {
    rest_listener: {
      addr: ['127.0.0.1', ports.gateway],
      session_uri: `http://127.0.0.1:${ports.gateway}`,
    },
    smtp_output: { hosts: { outbound: { ehlo_host: 'bench.example', timeout: 60 } } },
    smtp_listener: {
      services: [{ addr: ['127.0.0.1', ports.smtp], endpoint: 'router', sender: 'bench', tag: smtpTag }],
    },
    rest_output: [{ name: 'router', endpoint: `http://127.0.0.1:${ports.router}/senders/bench/transactions` }],
    log: { level: 'error' },
  };
}

/** Writes both files into `dir`; resolves with their paths. */
export async function writeConfigs(dir, settings) {
  const files = { router: path.join(dir, 'router.yaml'), gateway: path.join(dir, 'gateway.yaml') };
  await writeFile(files.router, stringify(routerConfig(settings)));
  await writeFile(files.gateway, stringify(gatewayConfig(settings)));
  return files;
}
