/** From the gateway's YAML, checked and with defaults, to the configuration the program sees. */
import type { GatewayConfig, RestOutputConfig, SmtpOutputConfig, SmtpServiceConfig } from './gateway-config.ts';
import type { GatewayYaml } from './gateway-schema.ts';
import { peerCredentials } from './peer-credentials.ts';
import { restAccess } from './rest-access.ts';
import { restIdEntropy } from './rest-id-entropy.ts';
import type { ConfigSource } from './source.ts';
import { tlsFiles } from './tls-pair.ts';

type ResolvePath = (path: string) => string;

export function gatewayConfig(yaml: GatewayYaml, source: ConfigSource, resolvePath: ResolvePath): GatewayConfig {
  const { rest_listener: listener } = yaml;
  return {
    source,
    global: { maxInflight: yaml.global.executor.max_inflight },
    restListener: {
      addr: listener.addr,
      ...tlsFiles(listener, resolvePath),
      sessionUri: listener.session_uri,
      serviceUri: listener.session_uri,
      chunkSize: listener.chunk_size,
      access: restAccess(listener, resolvePath),
      restIdEntropy: restIdEntropy(listener.rest_id_entropy),
      gcTxTtlMs: listener.gc_tx_ttl,
      gcDoneTtlMs: listener.gc_done_ttl,
    },
    smtpOutputs: new Map(Object.entries(yaml.smtp_output.hosts).map(([tag, host]) => [tag, smtpOutput(tag, host)])),
    services: yaml.smtp_listener.services.map((service) => smtpService(service, resolvePath)),
    restOutputs: new Map(yaml.rest_output.map((output) => [output.name, restOutput(output, resolvePath)])),
    log: yaml.log,
  };
}

function smtpOutput(tag: string, yaml: GatewayYaml['smtp_output']['hosts'][string]): SmtpOutputConfig {
  return {
    tag,
    ehloHost: yaml.ehlo_host,
    timeoutMs: yaml.timeout,
    protocol: yaml.protocol,
    enableBdat: yaml.enable_bdat,
    chunkSize: yaml.chunk_size,
    maxConnectionsPerHost: yaml.max_connections_per_host,
    idleTimeoutMs: yaml.idle_timeout,
  };
}

function smtpService(
  yaml: GatewayYaml['smtp_listener']['services'][number],
  resolvePath: ResolvePath,
): SmtpServiceConfig {
  return {
    addr: yaml.addr,
    endpoint: yaml.endpoint,
    sender: yaml.sender,
    ...(yaml.tag && { tag: yaml.tag }),
    ...tlsFiles(yaml, resolvePath),
    smtps: yaml.smtps,
    ...(yaml.auth_secrets ? { authSecrets: resolvePath(yaml.auth_secrets) } : {}),
    ...(yaml.proxy_protocol_timeout ? { proxyProtocolTimeoutMs: yaml.proxy_protocol_timeout } : {}),
    enableBdat: yaml.enable_bdat,
    ...(yaml.max_sessions_per_host ? { maxSessionsPerHost: yaml.max_sessions_per_host } : {}),
    ...(typeof yaml.dsn === 'boolean' ? { dsn: yaml.dsn } : {}),
    rcptTimeoutMs: yaml.rcpt_timeout,
    dataTimeoutMs: yaml.data_timeout,
  };
}

function restOutput(yaml: GatewayYaml['rest_output'][number], resolvePath: ResolvePath): RestOutputConfig {
  return {
    name: yaml.name,
    endpoint: yaml.endpoint,
    ...peerCredentials(yaml, resolvePath),
    verify: typeof yaml.verify === 'string' ? resolvePath(yaml.verify) : yaml.verify,
    ...(yaml.rcpt_timeout ? { rcptTimeoutMs: yaml.rcpt_timeout } : {}),
    ...(yaml.data_timeout ? { dataTimeoutMs: yaml.data_timeout } : {}),
    chunkSize: yaml.chunk_size,
    refreshIntervalMs: yaml.refresh_interval,
  };
}
