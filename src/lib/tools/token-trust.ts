/** The token that a command shows to a router. */
import { readSecretFile } from '../auth/watched-file.ts';
import type { Trust } from '../http/http-client.ts';
import { tokenTrust } from '../http/token-trust.ts';

/** The router is shown a token when there is one. */
export function readTokenTrust(url: URL, ask: { readonly token?: string; readonly tokenFile?: string }): Trust {
  if (ask.tokenFile !== undefined) return tokenTrust(url, readSecretFile(ask.tokenFile), ask.tokenFile);
  return ask.token === undefined ? true : tokenTrust(url, ask.token, 'the token');
}
