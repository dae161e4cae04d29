/** From the router's YAML, checked and with defaults, to the configuration the program sees. */

import { peerCredentials } from './peer-credentials.ts';
import { restAccess } from './rest-access.ts';
import { restIdEntropy } from './rest-id-entropy.ts';
import type {
  ChainConfig,
  OutputHandlerConfig,
  RestEndpointConfig,
  RouterConfig,
  SenderConfig,
  SenderFamily,
  StorageConfig,
} from './router-config.ts';
import type { RouterYaml } from './router-schema.ts';
import { sessionTimes } from './session-times.ts';
import type { ConfigSource } from './source.ts';
import { tlsFiles } from './tls-pair.ts';

type SenderYaml = RouterYaml['sender'][number];
type TagYaml = SenderYaml['tag'][number];
type ChainYaml = RouterYaml['endpoint'][number];

export function routerConfig(
  yaml: RouterYaml,
  source: ConfigSource,
  resolvePath: (path: string) => string,
): RouterConfig {
  const { global, rest_listener: listener } = yaml;
  const tagsOf = new Map(yaml.sender.map((sender) => [sender.name, new Set(sender.tag.map((tag) => tag.name))]));
  return {
    source,
    global: {
      dequeue: global.dequeue,
      restMaxInflight: global.executor.rest.max_inflight,
      outputMaxInflight: global.executor.output.max_inflight,
      ...(global.mailer_daemon_mailbox ? { mailerDaemonMailbox: global.mailer_daemon_mailbox } : {}),
      restIdEntropy: restIdEntropy(global.rest_id_entropy),
    },
    restListener: {
      addr: listener.addr,
      ...tlsFiles(listener, resolvePath),
      sessionUri: listener.session_uri,
      serviceUri: listener.service_uri ?? listener.session_uri,
      chunkSize: listener.chunk_size,
      access: restAccess(listener, resolvePath),
    },
    senders: new Map(yaml.sender.map((sender) => [sender.name, senderFamily(sender, tagsOf)])),
    restEndpoints: new Map(yaml.rest_endpoint.map((each) => [each.name, restEndpoint(each, resolvePath)])),
    chains: new Map(yaml.endpoint.map((each, index) => [each.name, chainConfig(each, index)])),
    storage: storageConfig(yaml.storage),
    log: yaml.log,
  };
}

function senderFamily(sender: SenderYaml, tagsOf: ReadonlyMap<string, ReadonlySet<string>>): SenderFamily {
  const untagged = senderConfig(sender, undefined, tagsOf);
  return {
    untagged,
    tags: new Map(sender.tag.map((tag) => [tag.name, senderConfig(sender, tag, tagsOf)])),
    ...(sender.max_inflight ? { maxInflight: sender.max_inflight } : {}),
    ...(sender.open_relay ? { openRelay: true } : {}),
  };
}

/** What a tag says wins; what it says `null` to is switched off; what it does not mention is the sender's. */
function senderConfig(
  sender: SenderYaml,
  tag: TagYaml | undefined,
  tagsOf: ReadonlyMap<string, ReadonlySet<string>>,
): SenderConfig {
  const pick = <K extends keyof SenderYaml & keyof TagYaml>(key: K): SenderYaml[K] | TagYaml[K] | undefined =>
    tag?.[key] === undefined ? sender[key] : tag[key];
  const upstreamSender = pick('upstream_sender') ?? sender.name;
  // The same tag, where the upstream sender has it.
  const sameTag = tag !== undefined && tagsOf.get(upstreamSender)?.has(tag.name) ? tag.name : undefined;
  const upstreamTag = pick('upstream_tag') ?? sameTag;
  const remoteHost = pick('remote_host');
  const meta = pick('smtp_meta');
  const uncertain = pick('uncertain');
  return {
    name: sender.name,
    ...(tag === undefined ? {} : { tag: tag.name }),
    outputChain: tag?.output_chain ?? sender.output_chain,
    retry: pick('retry') === 'output_chain',
    notification: pick('notification') === 'output_chain',
    ...(uncertain ? { uncertain } : {}),
    upstreamSender,
    ...(upstreamTag === undefined ? {} : { upstreamTag }),
    ...(remoteHost ? { remoteHost } : {}),
    ...(meta ? { smtpMeta: { ehloHost: meta.ehlo_host, esmtp: meta.esmtp, tls: meta.tls, auth: meta.auth } } : {}),
  };
}

function restEndpoint(
  yaml: RouterYaml['rest_endpoint'][number],
  resolvePath: (path: string) => string,
): RestEndpointConfig {
  const { name, endpoint, sender, tag, options } = yaml;
  return { name, endpoint, sender, ...(tag ? { tag } : {}), ...peerCredentials(yaml, resolvePath), options };
}

function chainConfig(yaml: ChainYaml, index: number): ChainConfig {
  const path = ['endpoint', index] as const;
  return {
    name: yaml.name,
    outputHandler: outputHandler(yaml.output_handler),
    steps: yaml.chain.map(({ filter, ...options }, step) => ({ filter, options, path: [...path, 'chain', step] })),
    path,
  };
}

function outputHandler(yaml: ChainYaml['output_handler']): OutputHandlerConfig {
  const { retry_params: retry, notification } = yaml;
  return {
    downstreamTimeoutMs: yaml.downstream_timeout,
    upstreamRefreshMs: yaml.upstream_refresh,
    retryParams: {
      maxAttempts: retry.max_attempts,
      minAttemptTimeMs: retry.min_attempt_time,
      maxAttemptTimeMs: retry.max_attempt_time,
      backoffFactor: retry.backoff_factor,
      deadlineMs: retry.deadline,
      bugRetryMs: retry.bug_retry,
    },
    ...(notification
      ? {
          notification: {
            sender: notification.sender,
            ...(notification.tag ? { tag: notification.tag } : {}),
            delayAfterMs: notification.delay_after,
          },
        }
      : {}),
  };
}

function storageConfig(yaml: RouterYaml['storage']): StorageConfig {
  return {
    url: yaml.url,
    autoMigrate: yaml.auto_migrate,
    gcIntervalMs: yaml.gc_interval,
    gcTtlMs: yaml.gc_ttl,
    ...sessionTimes(yaml.url, yaml.session_refresh_interval, yaml.session_ttl),
    cacheTtlMs: yaml.cache_ttl,
  };
}
