/** What may stand in the gateway's YAML (protocol §9.2): strict, with every default. */
import { z } from 'zod';
import {
  count,
  filePath,
  httpUrl,
  ignored,
  listenAddress,
  listOf,
  logSection,
  name,
  orDefault,
  restListenerShape,
  secondsAsMs,
  section,
  sizeBytes,
  someSecondsAsMs,
} from './fields.ts';
import { peerCredentialsShape } from './peer-credentials.ts';
import { restAccessShape } from './rest-access.ts';

const DEFAULT_MAX_INFLIGHT = 1000;

const globalSection = section({
  executor: section({
    max_inflight: orDefault(count, DEFAULT_MAX_INFLIGHT).describe('Transactions at work at once.'),
    watchdog_timeout: ignored,
  }).describe('Bounds of concurrent work.'),
});

const restListener = z.strictObject({
  ...restListenerShape,
  ...restAccessShape,
  rest_id_entropy: orDefault(z.int().min(1).max(64), 16).describe(
    'Random bytes in the id of a transaction; less than 16 is raised to 16.',
  ),
  gc_interval: ignored,
  gc_tx_ttl: orDefault(someSecondsAsMs, 600_000).describe(
    'After so long without a request a transaction is forgotten.',
  ),
  gc_done_ttl: orDefault(secondsAsMs, 10_000).describe('How long a finished transaction is remembered.'),
});

const smtpHost = z.strictObject({
  ehlo_host: name.describe('What we call ourselves.'),
  timeout: orDefault(someSecondsAsMs, 3_300_000).describe('How long to wait for one reply.'),
  protocol: orDefault(z.enum(['smtp', 'lmtp']), 'smtp').describe('LMTP is for a mail store of your own.'),
  enable_bdat: orDefault(z.boolean(), false).describe('BDAT instead of DATA where the server offers it.'),
  chunk_size: orDefault(sizeBytes, 65_536).describe('Size of one BDAT.'),
  max_connections_per_host: orDefault(count, 100).describe(
    'Connections to one destination at a time; every recipient of an SMTP conversation needs one of its own until its message is answered.',
  ),
  idle_timeout: orDefault(secondsAsMs, 10_000).describe('How long a connection is kept for the next message.'),
});

const service = z.strictObject({
  addr: listenAddress.describe('Where to listen; port 0 takes a free one.'),
  endpoint: name.describe('Name of the `rest_output`: the router that takes this mail.'),
  sender: name.describe('What the request says of itself: a sender of the router, else the router refuses all mail.'),
  tag: name.nullish().describe('The same: one of the tags of that sender; left out, the sender itself.'),
  cert: filePath
    .nullish()
    .describe('PEM file with the certificate and its chain; with `key` the port offers STARTTLS.'),
  key: filePath.nullish().describe('PEM file with the private key of `cert`.'),
  smtps: orDefault(z.boolean(), false).describe('TLS from the first byte.'),
  auth_secrets: filePath
    .nullish()
    .describe(
      'JSON file `{"user": "hash"}` (`koukan smtp-auth` prints both): offers AUTH, once the session is encrypted.',
    ),
  proxy_protocol_timeout: someSecondsAsMs
    .nullish()
    .describe('Expect a PROXY header within this time; not with `smtps`. Left out: expect none.'),
  enable_bdat: orDefault(z.boolean(), false).describe('Offer CHUNKING.'),
  dsn: z
    .boolean()
    .nullish()
    .describe(
      'Offer DSN (RFC 3461). By default as soon as the router has shown that it supports it: in one process at once, else with its first ' +
        'answer; a router of the Python original never does.',
    ),
  max_sessions_per_host: count
    .nullish()
    .describe('Sessions of one client address at once; more hear 421. By default 50, and no limit for this machine.'),
  chunk_size: ignored,
  rcpt_timeout: orDefault(someSecondsAsMs, 40_000).describe('How long to wait for the router’s answer to RCPT.'),
  data_timeout: orDefault(someSecondsAsMs, 310_000).describe('How long to wait for its answer to the message.'),
});

const restOutput = z.strictObject({
  name: name.describe('What `endpoint` of a service calls it.'),
  endpoint: httpUrl.describe('The full URL of a create request: `http://host:port/senders/NAME/transactions`.'),
  ...peerCredentialsShape,
  verify: orDefault<boolean | string>(z.union([z.boolean(), filePath]), true).describe(
    'Check the certificate of the router; or the CA file to check it with.',
  ),
  rcpt_timeout: someSecondsAsMs.nullish().describe('Wait less for this router than the listener says.'),
  data_timeout: someSecondsAsMs.nullish().describe('The same for the message.'),
  chunk_size: orDefault(sizeBytes, 65_536).describe('How a message is cut on its way to the router.'),
  refresh_interval: orDefault(someSecondsAsMs, 30_000).describe(
    'How often the router is given a sign of life while the client is slow.',
  ),
});

export const gatewaySchema = z.strictObject({
  global: globalSection.describe('What concerns the whole gateway.'),
  rest_listener: restListener.describe(
    'The REST server, which takes mail that is to go out over SMTP, and who may use it.',
  ),
  smtp_output: section({
    use_system_smtplib: ignored,
    hosts: orDefault<Readonly<Record<string, z.output<typeof smtpHost>>>>(z.record(name, smtpHost), {}).describe(
      'How transactions are sent, by their tag.',
    ),
  }).describe('The SMTP client.'),
  smtp_listener: section({ services: listOf(service).describe('One for each SMTP port.') }).describe(
    'The SMTP server.',
  ),
  rest_output: listOf(restOutput).describe('The routers that mail from SMTP is handed to.'),
  log: logSection,
  logging: ignored,
});

export type GatewayYaml = z.output<typeof gatewaySchema>;
