/** How a REST peer is shown who we are, read from where the configuration says: a token, or a client certificate. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { type WatchDeps, WatchedFile } from '../auth/watched-file.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import type { HopOptions, PeerCredentials } from '../core/hop.ts';
import { readTrust, type Trust } from './http-client.ts';
import { checkedToken } from './token-trust.ts';

/** Everything a request to this peer needs besides the request. Throws `UserError` that names the file at fault. */
export function peerTrust(
  endpoint: URL,
  options: Pick<HopOptions, 'verify' | keyof PeerCredentials>,
  deps: WatchDeps,
): Trust {
  const server = readTrust(options.verify ?? true);
  const token = tokenSource(options, deps);
  const identity = clientIdentity(options);
  if (token === undefined && identity === undefined) return server;
  return {
    ...(typeof server === 'boolean' ? { verify: server } : server),
    ...(token && { token, isTokenForTlsOnly: endpoint.protocol === 'https:' }),
    ...(identity && { identity }),
  };
}

function tokenSource({ token, tokenFile }: PeerCredentials, deps: WatchDeps): (() => string) | undefined {
  if (token !== undefined) return () => token;
  if (tokenFile === undefined) return undefined;
  const watched = new WatchedFile(tokenFile, (text) => checkedToken(text, tokenFile), deps);
  return () => watched.current;
}

function clientIdentity({ clientCert, clientKey }: PeerCredentials): { cert: string; key: string } | undefined {
  if (clientCert === undefined || clientKey === undefined) return undefined;
  const identity = { cert: readPem(clientCert), key: readPem(clientKey) };
  try {
    createSecureContext(identity);
  } catch (error) {
    const why = (error as Error).message;
    throw new UserError(`cannot use certificate ${clientCert} with key ${clientKey}: ${why}`, exitCodes.config);
  }
  return identity;
}

function readPem(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new UserError(`${file}: cannot be read (${code})`, exitCodes.noInput);
  }
}
