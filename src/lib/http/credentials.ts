/** How a REST peer is shown who we are, read from where the configuration says: a token, or a client certificate. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { type WatchDeps, WatchedFile } from '../auth/watched-file.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import type { HopOptions, PeerCredentials } from '../core/hop.ts';
import { readTrust, type Trust } from './http-client.ts';

/** What stands in an Authorization header unharmed (RFC 6750 §2.1). */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;

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

/** A token that was handed over as it is; `where` says from where, for the `UserError` that is thrown when it cannot be one. */
export function tokenTrust(url: URL, token: string, where: string): Trust {
  const checked = checkedToken(token, where);
  return { token: () => checked, isTokenForTlsOnly: url.protocol === 'https:' };
}

function tokenSource({ token, tokenFile }: PeerCredentials, deps: WatchDeps): (() => string) | undefined {
  if (token !== undefined) return () => token;
  if (tokenFile === undefined) return undefined;
  const watched = new WatchedFile(tokenFile, (text) => checkedToken(text, tokenFile), deps);
  return () => watched.current;
}

/** Never quotes the text: it is a secret, or a piece of one. */
function checkedToken(text: string, where: string): string {
  const token = text.trim();
  if (TOKEN.test(token)) return token;
  const why = token === '' ? 'is empty' : 'is no token: one line of A-Z, a-z, 0-9 and ._~+/- is expected';
  throw new UserError(`${where} ${why}`, exitCodes.config);
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
