/** Who may use a REST listener, as configured: tokens, client certificates, trusted peers; and that nobody opens it to strangers unawares. */
import { isIP, isIPv4 } from 'node:net';
import { z } from 'zod';
import { count, filePath, orDefault } from './fields.ts';
import { isMapping, textAt } from './path-pattern.ts';
import type { ConfigMistake } from './source.ts';
import { describeValue } from './value-words.ts';

export interface RestAccessConfig {
  /** Path of the JSON file of tokens. */
  readonly authTokens?: string;
  /** Networks of gateways and routers; absent: loopback, or nobody where there are tokens. */
  readonly trustedPeers?: readonly string[];
  /** Path of the PEM file with the authorities of client certificates. */
  readonly clientCa?: string;
  readonly requireClientCert: boolean;
  /** Names of trusted client certificates, in lower case; absent: any. */
  readonly trustedNames?: readonly string[];
  readonly maxInflightPerPeer?: number;
}

/** `192.0.2.0/24`, `2001:db8::/32`, or one address. */
export const cidr = z
  .string()
  .refine(isCidr, {
    error: (issue) => `expected a network such as 192.0.2.0/24 or 2001:db8::/32, not ${describeValue(issue.input)}`,
  })
  .meta({ form: 'network' });

/** The keys of `rest_listener` that this file is about. */
export const restAccessShape = {
  auth_tokens: filePath
    .nullish()
    .describe('JSON file of bearer tokens: every request needs one of them, see [access.md](../access.md).'),
  trusted_peers: z
    .array(cidr)
    .nullish()
    .describe(
      'Networks of gateways and routers, which are believed about `remote_host`, `local_host`, `smtp_meta` and `filter_output`; ' +
        'from anybody else these are refused. By default loopback; with tokens nobody.',
    ),
  client_ca: filePath
    .nullish()
    .describe('PEM file: ask clients for a certificate of this authority; needs `cert` and `key`.'),
  require_client_cert: z
    .boolean()
    .nullish()
    .describe(
      'Nobody without such a certificate is served. By default true with `client_ca` and without `auth_tokens`.',
    ),
  trusted_names: z
    .array(z.string().min(1))
    .nullish()
    .describe('Names in client certificates that make a peer trusted; any by default.'),
  max_inflight_per_peer: count
    .nullish()
    .describe('Requests at work at once for one client address that is not trusted; 100 by default.'),
  insecure: orDefault(z.boolean(), false).describe(
    'Allow an address that other machines can reach, without tokens and certificates.',
  ),
} as const;

const shape = z.object(restAccessShape);

export function restAccess(yaml: z.output<typeof shape>, resolvePath: (path: string) => string): RestAccessConfig {
  return {
    ...(yaml.auth_tokens ? { authTokens: resolvePath(yaml.auth_tokens) } : {}),
    ...(yaml.trusted_peers ? { trustedPeers: yaml.trusted_peers } : {}),
    ...(yaml.client_ca ? { clientCa: resolvePath(yaml.client_ca) } : {}),
    requireClientCert: isCertRequired(yaml),
    ...(yaml.trusted_names ? { trustedNames: yaml.trusted_names.map((name) => name.toLowerCase()) } : {}),
    ...(yaml.max_inflight_per_peer ? { maxInflightPerPeer: yaml.max_inflight_per_peer } : {}),
  };
}

/** Where certificates are asked for and tokens are not, everybody must have one, unless it is said otherwise. */
function isCertRequired(yaml: Readonly<Record<string, unknown>>): boolean {
  if (typeof yaml.require_client_cert === 'boolean') return yaml.require_client_cert;
  return Boolean(yaml.client_ca) && !yaml.auth_tokens;
}

export function restAccessMistakes(root: unknown): ConfigMistake[] {
  const listener = isMapping(root) ? root.rest_listener : undefined;
  if (!isMapping(listener)) return [];
  const path = ['rest_listener'];
  const has = (key: string): boolean => listener[key] !== undefined && listener[key] !== null;
  const mistakes: ConfigMistake[] = [];
  const add = (key: string, message: string): number => mistakes.push({ path, key, message });
  if (has('client_ca') && !has('cert')) add('client_ca', "'client_ca' needs https: give 'cert' and 'key'");
  if (!has('client_ca') && listener.require_client_cert === true) {
    add('require_client_cert', "'require_client_cert' needs 'client_ca', the authority that signs them");
  }
  if (!has('client_ca') && has('trusted_names')) {
    add('trusted_names', "'trusted_names' are names of client certificates and need 'client_ca'");
  }
  return isOpenToStrangers(listener) ? [...mistakes, openMistake(listener)] : mistakes;
}

function isOpenToStrangers(listener: Readonly<Record<string, unknown>>): boolean {
  if (listener.insecure === true || textAt(listener, 'auth_tokens') !== undefined) return false;
  if (textAt(listener, 'client_ca') !== undefined && isCertRequired(listener)) return false;
  return !isLoopback(listenHost(listener));
}

function openMistake(listener: Readonly<Record<string, unknown>>): ConfigMistake {
  const message =
    `on ${listenHost(listener)} this listener can be reached from other machines, and it asks nobody who they are: write ` +
    "'auth_tokens: FILE' ('koukan smtp-auth --token' makes tokens), or 'client_ca: FILE' for client certificates, or, where the " +
    "network itself keeps strangers out, 'insecure: true'";
  return { path: ['rest_listener'], key: 'addr', message };
}

/** Tokens that anybody on the way can read. */
export function restAccessWarnings(root: unknown): ConfigMistake[] {
  const listener = isMapping(root) ? root.rest_listener : undefined;
  if (textAt(listener, 'auth_tokens') === undefined || textAt(listener, 'cert') !== undefined) return [];
  if (isLoopback(listenHost(listener))) return [];
  const message =
    "tokens travel in clear text: give 'cert' and 'key', unless something in front of this listener speaks TLS";
  return [{ path: ['rest_listener'], key: 'auth_tokens', message }];
}

function listenHost(listener: unknown): string {
  const addr = isMapping(listener) && Array.isArray(listener.addr) ? (listener.addr as readonly unknown[]) : [];
  return typeof addr[0] === 'string' ? addr[0].replace(/^\[(.*)\]$/, '$1') : '127.0.0.1';
}

/** Whether only this machine can reach a listener at this host. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host.toLowerCase() === 'localhost' || (isIPv4(host) && host.startsWith('127.'));
}

function isCidr(text: string): boolean {
  const [network = '', length, ...rest] = text.split('/');
  const family = isIP(network);
  if (family === 0 || network.includes('%') || rest.length > 0) return false;
  return length === undefined || (/^\d{1,3}$/.test(length) && Number(length) <= (family === 4 ? 32 : 128));
}
