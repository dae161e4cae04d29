/** How a next hop over REST is shown who we are, as configured: a token, or a client certificate. */
import { z } from 'zod';
import type { PeerCredentials } from '../core/hop.ts';
import { filePath } from './fields.ts';
import { findAll, textAt } from './path-pattern.ts';
import type { ConfigMistake } from './source.ts';

/** RFC 6750 §2.1: what a token may be made of. */
const token = z.string().regex(/^[A-Za-z0-9._~+/-]+=*$/, { error: 'a token is made of A-Z, a-z, 0-9 and ._~+/- only' });

/** The keys of a next hop that this file is about. */
export const peerCredentialsShape = {
  token: token.nullish().describe('The bearer token that the next hop asks for.'),
  token_file: filePath.nullish().describe('File with that token; it is read again when it changes.'),
  client_cert: filePath.nullish().describe('PEM file: our certificate, for a next hop that asks for one.'),
  client_key: filePath.nullish().describe('PEM file with the private key of `client_cert`.'),
} as const;

const shape = z.object(peerCredentialsShape);

/** Nothing where none of the keys is given. */
export function peerCredentials(
  yaml: z.output<typeof shape>,
  resolvePath: (path: string) => string,
): { readonly credentials?: PeerCredentials } {
  const credentials: PeerCredentials = {
    ...(yaml.token ? { token: yaml.token } : {}),
    ...(yaml.token_file ? { tokenFile: resolvePath(yaml.token_file) } : {}),
    ...(yaml.client_cert ? { clientCert: resolvePath(yaml.client_cert) } : {}),
    ...(yaml.client_key ? { clientKey: resolvePath(yaml.client_key) } : {}),
  };
  return Object.keys(credentials).length > 0 ? { credentials } : {};
}

/** For every next hop at `pattern`. */
export function peerCredentialMistakes(root: unknown, pattern: string): ConfigMistake[] {
  return findAll(root, pattern).flatMap(({ path, value }): ConfigMistake[] => {
    const has = (key: string): boolean => textAt(value, key) !== undefined;
    const endpoint = textAt(value, 'endpoint') ?? '';
    return [
      ...(has('token') && has('token_file')
        ? [{ path, key: 'token', message: "give 'token' or 'token_file', not both" }]
        : []),
      ...(has('client_cert') && !has('client_key')
        ? [{ path, key: 'client_cert', message: "'client_cert' needs its 'client_key'" }]
        : []),
      ...(has('client_key') && !has('client_cert')
        ? [{ path, key: 'client_key', message: "'client_key' needs its 'client_cert'" }]
        : []),
      ...(has('client_cert') && endpoint.startsWith('http:')
        ? [{ path, key: 'client_cert', message: "'client_cert' needs an endpoint with https" }]
        : []),
    ];
  });
}

/** Next hops with one URL are one peer, and cannot be told two things of who we are. */
export function differentCredentials(root: unknown, pattern: string): ConfigMistake[] {
  const keys = Object.keys(peerCredentialsShape);
  const known = new Map<string, string>();
  return findAll(root, pattern).flatMap(({ path, value }) => {
    const url = textAt(value, 'endpoint');
    const said = JSON.stringify(keys.map((key) => textAt(value, key)));
    if (url === undefined || (known.get(url) ?? said) === said) {
      if (url !== undefined) known.set(url, said);
      return [];
    }
    const message = `another next hop has this URL too, and other credentials: give both the same ${keys.join(', ')}`;
    return [{ path, key: 'endpoint', message }];
  });
}
