/** How often a router gives a sign of life, and how long the others believe in it without one (protocol §4.4, §10). */
import { findAll } from './path-pattern.ts';
import type { ConfigMistake } from './source.ts';

/** Routers that share a database are to notice a death within seconds; one that is alone with its file need not wake the disk that often. */
const REFRESH_SHARED_SECONDS = 2;
const REFRESH_ALONE_SECONDS = 30;
/** A session is taken for dead after missing this many signs, unless `session_ttl` says otherwise. */
const REFRESHES_MISSED = 5;
/** A router trusts its leases for three quarters of the time, in which a sign or two may come late. */
const REFRESHES_MISSED_MIN = 3;

export interface SessionTimes {
  readonly sessionRefreshIntervalMs: number;
  readonly sessionTtlMs: number;
}

/** `refreshMs` and `ttlMs` as configured, if they are. */
export function sessionTimes(
  url: string,
  refreshMs: number | null | undefined,
  ttlMs: number | null | undefined,
): SessionTimes {
  const sessionRefreshIntervalMs = refreshMs ?? 1000 * defaultSeconds(url);
  return { sessionRefreshIntervalMs, sessionTtlMs: ttlMs ?? REFRESHES_MISSED * sessionRefreshIntervalMs };
}

export function sessionMistakes(root: unknown): ConfigMistake[] {
  const [url] = findAll(root, 'storage.url');
  const [ttl] = findAll(root, 'storage.session_ttl');
  const [refresh] = findAll(root, 'storage.session_refresh_interval');
  const everySeconds = typeof refresh?.value === 'number' ? refresh.value : defaultSeconds(String(url?.value));
  const leastSeconds = everySeconds * REFRESHES_MISSED_MIN;
  if (typeof ttl?.value !== 'number' || ttl.value >= leastSeconds) return [];
  const message = `'session_ttl' must be at least ${leastSeconds}, ${REFRESHES_MISSED_MIN} times 'session_refresh_interval' (${everySeconds}), or live sessions are taken for dead`;
  return [{ path: ttl.path, message }];
}

function defaultSeconds(url: string): number {
  return url.trimStart().startsWith('postgres') ? REFRESH_SHARED_SECONDS : REFRESH_ALONE_SECONDS;
}
