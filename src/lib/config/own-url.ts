/** Whether a URL names a listener of this very process: then its next hop is a call, not a connection. */
import type { RestListenerConfig } from './router-config.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1', '[::1]', '0.0.0.0', '::', '[::]']);

export function isOwnUrl(url: string, listener: RestListenerConfig): boolean {
  const asked = new URL(url);
  const bases = [listener.sessionUri, listener.serviceUri].map((uri) => new URL(uri).host);
  if (bases.includes(asked.host)) return true;
  const { host, port } = listener.addr;
  const isHere = asked.hostname === host || (LOOPBACK.has(asked.hostname) && LOOPBACK.has(host));
  return isHere && portOf(asked) === port;
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

/** The sender in a create URL: `…/senders/ingress/transactions` names `ingress`; it counts, not what the JSON says. */
export function senderInUrl(url: string): string | undefined {
  const name = /\/senders\/([^/]+)\/transactions\/?$/.exec(new URL(url).pathname)?.[1];
  return name === undefined ? undefined : decodeURIComponent(name);
}
