/** What may stand in the router's YAML (protocol §9.1): strict, with every default. The steps' own options belong to the steps. */
import { z } from 'zod';
import { DEFAULT_RETRY } from '../core/retry.ts';
import {
  baseUrl,
  count,
  emailAddress,
  httpUrl,
  listOf,
  logSection,
  name,
  orDefault,
  restListenerShape,
  secondsAsMs,
  section,
  someSecondsAsMs,
} from './fields.ts';
import { peerCredentialsShape } from './peer-credentials.ts';
import { restAccessShape } from './rest-access.ts';
import { normaliseStorageUrl } from './storage-url.ts';

/** Upstream's thread pools: here only bounds of concurrent work, well above upstream's 10, for a waiting transaction costs little. */
const DEFAULT_MAX_INFLIGHT = 1000;

const executor = section({
  max_inflight: orDefault(count, DEFAULT_MAX_INFLIGHT),
  watchdog_timeout: z.unknown().optional(),
});

const globalSection = section({
  dequeue: orDefault(z.boolean(), true),
  executor: section({ rest: executor, output: executor }),
  mailer_daemon_mailbox: emailAddress.nullish(),
  rest_id_entropy: orDefault(z.int().min(1).max(64), 16),
});

const smtpMeta = z.strictObject({
  ehlo_host: orDefault(z.string(), ''),
  esmtp: orDefault(z.boolean(), true),
  tls: orDefault(z.boolean(), false),
  auth: orDefault(z.boolean(), false),
});

/** `undefined`: not said here; `null`: no. */
const fromOutputChain = z.literal('output_chain').nullish();

const senderShape = {
  name,
  retry: fromOutputChain,
  notification: fromOutputChain,
  upstream_sender: name.nullish(),
  upstream_tag: name.nullish(),
  remote_host: z.string().min(1).nullish(),
  smtp_meta: smtpMeta.nullish(),
} as const;

const senderTag = z.strictObject({ ...senderShape, output_chain: name.nullish() });
const sender = z.strictObject({
  ...senderShape,
  output_chain: name,
  max_inflight: count.nullish(),
  open_relay: orDefault(z.boolean(), false),
  tag: listOf(senderTag),
});

const restEndpoint = z.strictObject({
  name,
  endpoint: httpUrl,
  sender: name,
  tag: name.nullish(),
  ...peerCredentialsShape,
  options: orDefault(z.record(z.string(), z.unknown()), {}),
});

const retryParams = section({
  max_attempts: count.nullable().default(DEFAULT_RETRY.maxAttempts),
  min_attempt_time: orDefault(secondsAsMs, DEFAULT_RETRY.minAttemptTimeMs),
  max_attempt_time: orDefault(secondsAsMs, DEFAULT_RETRY.maxAttemptTimeMs),
  backoff_factor: orDefault(z.number().min(0).max(1000), DEFAULT_RETRY.backoffFactor),
  deadline: someSecondsAsMs.nullable().default(DEFAULT_RETRY.deadlineMs),
  bug_retry: orDefault(someSecondsAsMs, DEFAULT_RETRY.bugRetryMs),
});

const notification = z.strictObject({
  sender: name.describe('The sender of this router whose chain carries the notifications.'),
  tag: name.nullish().describe('A tag of that sender.'),
  delay_after: someSecondsAsMs
    .nullable()
    .default(14_400_000)
    .describe('Age in seconds at which the sender is told, once, that the message is late; null: never.'),
});

const outputHandler = section({
  downstream_timeout: orDefault(someSecondsAsMs, 60_000),
  upstream_refresh: orDefault(someSecondsAsMs, 30_000),
  retry_params: retryParams,
  notification: notification.nullish(),
});

const chain = z.strictObject({
  name,
  output_handler: outputHandler,
  chain: z.array(z.looseObject({ filter: name })).min(1),
  msa: z.unknown().optional(),
});

const storageUrl = z.string().transform((text, context) => {
  const found = normaliseStorageUrl(text);
  if ('url' in found) return found.url;
  context.addIssue({ code: 'custom', message: found.wrong, input: text });
  return z.NEVER;
});

const storage = z.strictObject({
  url: storageUrl,
  auto_migrate: orDefault(z.boolean(), false),
  gc_interval: orDefault(someSecondsAsMs, 60_000),
  gc_ttl: orDefault(secondsAsMs, 86_400_000),
  session_refresh_interval: someSecondsAsMs.nullish(),
  session_ttl: someSecondsAsMs.nullish(),
  cache_ttl: orDefault(secondsAsMs, 5000),
  blob_tx_refresh_interval: z.unknown().optional(),
});

export const routerSchema = z.strictObject({
  global: globalSection,
  rest_listener: z.strictObject({ ...restListenerShape, ...restAccessShape, service_uri: baseUrl.nullish() }),
  sender: listOf(sender),
  rest_endpoint: listOf(restEndpoint),
  endpoint: listOf(chain),
  storage,
  log: logSection,
  modules: z.unknown().optional(),
  logging: z.unknown().optional(),
});

export type RouterYaml = z.output<typeof routerSchema>;
