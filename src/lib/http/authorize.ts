/**
 * What a request needs its caller to be. A sender that is not the caller's is refused with 403, since its name is in the path and no secret;
 * what only a gateway can know is refused from anybody else, never left out in silence: policies rely on it.
 */
import type { Caller } from './caller.ts';
import { actsFor } from './caller.ts';
import { type CreateAsk, RequestProblem, type UpdateAsk } from './service.ts';

/** Throws a `RequestProblem` 403 when the caller may not submit as this sender; said before it is known whether there is such a sender. */
export function checkSender(caller: Caller, sender: string): void {
  if (actsFor(caller, sender)) return;
  // RFC 6750 §3.1.
  const headers = { 'www-authenticate': 'Bearer realm="koukan", error="insufficient_scope"' };
  throw new RequestProblem(403, `this token is not for the sender ${sender}`, { headers });
}

/** Throws a `RequestProblem` 403 with a pointer when a caller that is not trusted says what only a gateway or a router can know. */
export function checkClaims(caller: Caller, ask: Partial<CreateAsk> & UpdateAsk): void {
  if (caller.isTrusted) return;
  const { remoteHost, localHost, smtpMeta, filterOutput } = ask;
  const claims: readonly (readonly [string, unknown])[] = [
    ['remote_host', remoteHost],
    ['local_host', localHost],
    ['smtp_meta', smtpMeta],
    ['filter_output', Object.keys(filterOutput ?? {}).length === 0 ? undefined : filterOutput],
  ];
  const claim = claims.find(([, value]) => value !== undefined)?.[0];
  if (claim === undefined) return;
  const detail = `${claim} is believed only from a trusted peer: list this one in rest_listener.trusted_peers, or give it a token with "trusted": true`;
  throw new RequestProblem(403, detail, { pointer: `/${claim}` });
}
