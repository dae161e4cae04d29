/** What may stand in the router's YAML (protocol §9.1): strict, with every default. The steps' own options belong to the steps. */
import { z } from 'zod';
import { DEFAULT_RETRY } from '../core/retry.ts';
import { UNCERTAIN_POLICIES } from '../core/uncertainty.ts';
import {
  baseUrl,
  count,
  emailAddress,
  httpUrl,
  ignored,
  listOf,
  logSection,
  name,
  orDefault,
  orNull,
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
  max_inflight: orDefault(count, DEFAULT_MAX_INFLIGHT).describe('How many of them are at work at once.'),
  watchdog_timeout: ignored,
});

const globalSection = section({
  dequeue: orDefault(z.boolean(), true).describe('This router also runs retries.'),
  executor: section({
    rest: executor.describe('Requests.'),
    output: executor.describe('Delivery attempts.'),
  }).describe('Bounds of concurrent work.'),
  mailer_daemon_mailbox: emailAddress
    .nullish()
    .describe('The address bounces come from; required where an endpoint has `notification`.'),
  rest_id_entropy: orDefault(z.int().min(1).max(64), 16).describe(
    'Random bytes in the id of a transaction; less than 16 is raised to 16.',
  ),
});

const smtpMeta = z.strictObject({
  ehlo_host: orDefault(z.string(), '').describe('What the client called itself.'),
  esmtp: orDefault(z.boolean(), true).describe('It said EHLO.'),
  tls: orDefault(z.boolean(), false).describe('The session was encrypted.'),
  auth: orDefault(z.boolean(), false).describe('It has authenticated.'),
});

/** `undefined`: not said here; `null`: no. */
const fromOutputChain = z.literal('output_chain').nullish();

const senderShape = {
  name,
  retry: fromOutputChain.describe(
    'Try again what fails for now, as `retry_params` of the endpoint says; otherwise the first failure is final.',
  ),
  notification: fromOutputChain.describe(
    'Send a bounce for what fails for good, as `notification` of the endpoint says.',
  ),
  uncertain: z
    .enum(UNCERTAIN_POLICIES)
    .nullish()
    .describe(
      'What becomes of a stored message that may have been delivered: all of it was sent, and a crash or silence of the far end kept its answer ' +
        'from us. `retry` (the default): it is sent again, and may arrive twice. `hold`: it is kept until somebody decides (`koukan tx retry`, ' +
        '`koukan tx cancel`). `ask`: the same, and its sender is told that it may have arrived. `hold` and `ask` cost a commit for each message.',
    ),
  upstream_sender: name
    .nullish()
    .describe('The sender whose chain each recipient goes through after the exploder; by default this one.'),
  upstream_tag: name.nullish().describe('The tag of that sender; by default the same.'),
  remote_host: z
    .string()
    .min(1)
    .nullish()
    .describe('Between routers: the address of the client, in place of what the request says.'),
  smtp_meta: smtpMeta
    .nullish()
    .describe('Between routers: facts of the SMTP session, in place of what the request says.'),
} as const;

const senderTag = z.strictObject({
  ...senderShape,
  name: name.describe('The name of the tag.'),
  output_chain: name.nullish().describe('The `endpoint` of its transactions; by default that of the sender.'),
});
const sender = z.strictObject({
  ...senderShape,
  name: name.describe('The name in the URL `/senders/NAME/transactions`.'),
  output_chain: name.describe('Name of the `endpoint` its transactions run through.'),
  max_inflight: count
    .nullish()
    .describe(
      'Requests for this sender at work at once, and its conversations by SMTP; more hear 429 or 451. 500 requests by default.',
    ),
  open_relay: orDefault(z.boolean(), false).describe('It may send on for everybody: do not check that it cannot.'),
  tag: listOf(senderTag).describe(
    'Variants of the sender, which a request names in its JSON. A key that a tag does not mention is the sender’s; a key it sets to ' +
      '`null` is switched off.',
  ),
});

const restEndpoint = z.strictObject({
  name: name.describe('What a `destination` calls it.'),
  endpoint: httpUrl.describe('The full URL of a create request: `http://host:port/senders/NAME/transactions`.'),
  sender: name.describe('What the request says of itself there: the sender.'),
  tag: name.nullish().describe('What the request says of itself there: the tag.'),
  ...peerCredentialsShape,
  options: orDefault(z.record(z.string(), z.unknown()), {}).describe(
    'What the next hop wants beside the message: `receive_parsing` (empty, or `{max_inline: BYTES}`) hands an application the parsed ' +
      'message, and needs `message_parser` in the chain; `send_filter_output: true` tells it what the filters found out. `options` of a ' +
      '`destination` are laid over these. A hop that has no place for them gets the message alone.',
  ),
});

const retryParams = section({
  max_attempts: orNull(count, DEFAULT_RETRY.maxAttempts).describe(
    'After so many attempts the message is given up; `null`: no limit.',
  ),
  min_attempt_time: orDefault(secondsAsMs, DEFAULT_RETRY.minAttemptTimeMs).describe(
    'Shortest pause between two attempts.',
  ),
  max_attempt_time: orDefault(secondsAsMs, DEFAULT_RETRY.maxAttemptTimeMs).describe(
    'Longest pause between two attempts.',
  ),
  backoff_factor: orDefault(z.number().min(0).max(1000), DEFAULT_RETRY.backoffFactor).describe(
    'The pause is the age of the message times this, within the bounds.',
  ),
  deadline: orNull(someSecondsAsMs, DEFAULT_RETRY.deadlineMs).describe(
    'Age at which the message is given up; `null`: never.',
  ),
  bug_retry: orDefault(someSecondsAsMs, DEFAULT_RETRY.bugRetryMs).describe(
    'Pause after an attempt that ended in a bug.',
  ),
});

const notification = z.strictObject({
  sender: name.describe('The sender of this router whose chain carries the notifications.'),
  tag: name.nullish().describe('A tag of that sender.'),
  delay_after: orNull(someSecondsAsMs, 14_400_000).describe(
    'Age at which the sender is told, once, that the message is late; `null`: never.',
  ),
});

const outputHandler = section({
  downstream_timeout: orDefault(someSecondsAsMs, 60_000).describe(
    'Give up when the client has been silent for this long.',
  ),
  upstream_refresh: orDefault(someSecondsAsMs, 30_000).describe('How often the next hop is given a sign of life.'),
  retry_params: retryParams.describe(
    'When a message is tried again. It counts for senders with `retry: output_chain`.',
  ),
  notification: notification
    .nullish()
    .describe(
      'Who sends the notifications: bounces, delays, and successes that were asked for (RFC 3461). It counts for senders with ' +
        '`notification: output_chain`.',
    ),
});

const chain = z.strictObject({
  name: name.describe('What `output_chain` of a sender calls it.'),
  output_handler: outputHandler.describe('How its transactions are waited for, retried and given up.'),
  chain: z
    .array(z.looseObject({ filter: name.describe('Name of a filter or an output; its options stand beside it.') }))
    .min(1)
    .describe('The steps, in order; the last one, and no other, is an output. [filters.md](../filters.md) lists them.'),
  msa: ignored,
});

const storageUrl = z.string().transform((text, context) => {
  const found = normaliseStorageUrl(text);
  if ('url' in found) return found.url;
  context.addIssue({ code: 'custom', message: found.wrong, input: text });
  return z.NEVER;
});

const storage = z.strictObject({
  url: storageUrl.describe(
    '`sqlite:///file` (relative to the current directory), `sqlite:////absolute/file`, `postgresql://user:password@host/database`.',
  ),
  auto_migrate: orDefault(z.boolean(), false).describe(
    'Bring a PostgreSQL schema up to date at start; an SQLite file always is.',
  ),
  gc_interval: orDefault(someSecondsAsMs, 60_000).describe(
    'How often finished transactions are collected. This cannot be turned off: raise `gc_ttl` to keep more.',
  ),
  gc_ttl: orDefault(secondsAsMs, 86_400_000).describe('How long a finished transaction is kept.'),
  session_refresh_interval: someSecondsAsMs
    .nullish()
    .describe('How often this router gives the others a sign of life. By default 2 with PostgreSQL, 30 with SQLite.'),
  session_ttl: someSecondsAsMs
    .nullish()
    .describe(
      'After this long without a sign of life others take over its transactions; at least 3, by default 5 times ' +
        '`session_refresh_interval`.',
    ),
  cache_ttl: orDefault(secondsAsMs, 5000).describe('How long a finished transaction stays in memory.'),
  blob_tx_refresh_interval: ignored,
});

export const routerSchema = z.strictObject({
  global: globalSection.describe('What concerns the whole router.'),
  rest_listener: z
    .strictObject({
      ...restListenerShape,
      ...restAccessShape,
      service_uri: baseUrl
        .nullish()
        .describe('Base URL of all replicas together, for finished blobs; `session_uri` by default.'),
    })
    .describe('The REST server, and who may use it.'),
  sender: listOf(sender).describe(
    'Who submits. A request to `/senders/NAME/transactions` is from the sender NAME; its JSON may name one of the sender’s tags.',
  ),
  rest_endpoint: listOf(restEndpoint).describe('Next hops that speak REST: gateways, other routers, applications.'),
  endpoint: listOf(chain).describe('The chains that transactions run through.'),
  storage: storage.describe('The database.'),
  log: logSection,
  modules: z
    .unknown()
    .optional()
    .describe(
      'Plugins. Either a list of modules, `./file.js` relative to this file or the name of a package; or the mappings ' +
        '`sync_filter`, `recipient_router_policy` and `transaction_matcher` of a name to `module:export`, a single part each.',
    ),
  logging: ignored,
});

export type RouterYaml = z.output<typeof routerSchema>;
