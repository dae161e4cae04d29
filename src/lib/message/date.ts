/** The date-time of RFC 5322 §3.3, the one form every header of ours uses. Pure: the instant is an argument. */

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;

const two = (n: number): string => String(n).padStart(2, '0');

/** The newest instant that was formatted: every message of a second has the same. */
let newest = { second: Number.NaN, offsetMinutes: 0, text: '' };

/** Formats an instant as it reads on a clock `offsetMinutes` east of UTC: `Thu, 01 Jan 2026 10:00:00 +0100`. */
export function formatDate(atMs: number, offsetMinutes = 0): string {
  const second = Math.floor(atMs / 1000);
  if (newest.second !== second || newest.offsetMinutes !== offsetMinutes) {
    newest = { second, offsetMinutes, text: written(atMs, offsetMinutes) };
  }
  return newest.text;
}

function written(atMs: number, offsetMinutes: number): string {
  const local = new Date(atMs + offsetMinutes * 60_000);
  const day = `${DAYS[local.getUTCDay()]}, ${two(local.getUTCDate())} ${MONTHS[local.getUTCMonth()]}`;
  const time = `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}:${two(local.getUTCSeconds())}`;
  const size = Math.abs(offsetMinutes);
  // RFC 5322 §3.3: -0000 would say that nothing is known of the local zone; UTC is +0000.
  const zone = `${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`;
  return `${day} ${String(local.getUTCFullYear()).padStart(4, '0')} ${time} ${zone}`;
}
