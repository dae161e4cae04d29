/** What a server said it can do in its answer to EHLO (RFC 5321 §4.1.1.1): each keyword in upper case, with its parameters as one string. */
import { isDomain } from '../../core/mailbox.ts';
import type { Response } from '../../core/response.ts';

export type Capabilities = ReadonlyMap<string, string>;

export const NO_CAPABILITIES: Capabilities = new Map();

/** The first line is the server's name and greeting; the others are keywords. */
export function parseCapabilities(ehlo: Response): Capabilities {
  const found = new Map<string, string>();
  for (const line of ehlo.text.split('\n').slice(1)) {
    // `AUTH=PLAIN` is an old spelling of `AUTH PLAIN`.
    const match = /^([A-Za-z0-9][A-Za-z0-9-]*)(?:[ =](.*))?$/.exec(line.trim());
    if (match?.[1] === undefined) continue;
    const keyword = match[1].toUpperCase();
    const params = (match[2] ?? '').trim();
    const before = found.get(keyword);
    found.set(keyword, before === undefined ? params : `${before} ${params}`.trim());
  }
  return found;
}

/** The name a server gives itself in its answer to EHLO; `undefined` when that is no host name. */
export function serverName(hello: Response): string | undefined {
  const name = /^[^ \n]*/.exec(hello.text)?.[0] ?? '';
  return name.includes('.') && isDomain(name) ? name : undefined;
}

/** The largest message the server takes, in bytes; `undefined` when it did not say (RFC 1870 §4: 0 means no limit is known). */
export function maxMessageBytes(capabilities: Capabilities): number | undefined {
  const size = capabilities.get('SIZE');
  if (size === undefined || !/^\d{1,15}$/.test(size)) return undefined;
  const bytes = Number(size);
  return bytes === 0 ? undefined : bytes;
}
