/** What may stand in the gateway's YAML (protocol §9.2): strict, with every default. */
import { z } from 'zod';
import {
  count,
  filePath,
  httpUrl,
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
  executor: section({ max_inflight: orDefault(count, DEFAULT_MAX_INFLIGHT), watchdog_timeout: z.unknown().optional() }),
});

const restListener = z.strictObject({
  ...restListenerShape,
  ...restAccessShape,
  rest_id_entropy: orDefault(z.int().min(1).max(64), 16),
  gc_interval: z.unknown().optional(),
  gc_tx_ttl: orDefault(someSecondsAsMs, 600_000),
  gc_done_ttl: orDefault(secondsAsMs, 10_000),
});

const smtpHost = z.strictObject({
  ehlo_host: name,
  timeout: orDefault(someSecondsAsMs, 3_300_000),
  protocol: orDefault(z.enum(['smtp', 'lmtp']), 'smtp'),
  enable_bdat: orDefault(z.boolean(), false),
  chunk_size: orDefault(sizeBytes, 65_536),
  max_connections_per_host: orDefault(count, 100),
  idle_timeout: orDefault(secondsAsMs, 10_000),
});

const service = z.strictObject({
  addr: listenAddress,
  endpoint: name,
  sender: name,
  tag: name.nullish(),
  cert: filePath.nullish(),
  key: filePath.nullish(),
  smtps: orDefault(z.boolean(), false),
  auth_secrets: filePath.nullish(),
  proxy_protocol_timeout: someSecondsAsMs.nullish(),
  enable_bdat: orDefault(z.boolean(), false),
  dsn: z.boolean().nullish().describe('Offer DSN (RFC 3461). By default once the router is known to support it.'),
  max_sessions_per_host: count.nullish(),
  chunk_size: z.unknown().optional(),
  rcpt_timeout: orDefault(someSecondsAsMs, 40_000),
  data_timeout: orDefault(someSecondsAsMs, 310_000),
});

const restOutput = z.strictObject({
  name,
  endpoint: httpUrl,
  ...peerCredentialsShape,
  verify: orDefault<boolean | string>(z.union([z.boolean(), filePath]), true),
  rcpt_timeout: someSecondsAsMs.nullish(),
  data_timeout: someSecondsAsMs.nullish(),
  chunk_size: orDefault(sizeBytes, 65_536),
  refresh_interval: orDefault(someSecondsAsMs, 30_000),
});

export const gatewaySchema = z.strictObject({
  global: globalSection,
  rest_listener: restListener,
  smtp_output: section({
    use_system_smtplib: z.unknown().optional(),
    hosts: orDefault<Readonly<Record<string, z.output<typeof smtpHost>>>>(z.record(name, smtpHost), {}),
  }),
  smtp_listener: section({ services: listOf(service) }),
  rest_output: listOf(restOutput),
  log: logSection,
  logging: z.unknown().optional(),
});

export type GatewayYaml = z.output<typeof gatewaySchema>;
