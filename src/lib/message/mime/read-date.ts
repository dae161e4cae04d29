/** Reads the date-time of RFC 5322 §3.3 with its obsolete forms (§4.3): two-digit years, named zones, comments. */

export interface HeaderDate {
  /** Whole seconds since 1970, in UTC. */
  readonly unixSecs: number;
  /** Seconds east of UTC; 0 when the zone is not known, `-0000`. */
  readonly offsetSecs: number;
}

const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const ZONES: Readonly<Record<string, number>> = {
  edt: -4,
  est: -5,
  cdt: -5,
  cst: -6,
  mdt: -6,
  mst: -7,
  pdt: -7,
  pst: -8,
};
const DATE =
  /^(?:[a-z]{3,9}\.?,? ?)?(\d{1,2})[ -]([a-z]{3})[a-z]*[ -](\d{2,4}) (\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)? ?([+-]\d{4}|[a-z]{1,5})$/i;

/** `undefined` for what names no moment: no such day, no zone, not a date. */
export function readDate(text: string): HeaderDate | undefined {
  const plain = withoutComments(text)
    .replace(/\s+/g, ' ')
    .replace(/ ?([,:]) ?/g, (_, mark: string) => (mark === ',' ? ', ' : mark))
    .trim();
  const match = DATE.exec(plain);
  if (match === null) return undefined;
  const [, day = '', monthName = '', yearText = '', hour = '', minute = '', second = '0', zone = ''] = match;
  const month = MONTHS.indexOf(monthName.toLowerCase());
  const offsetSecs = zoneSecs(zone);
  const [d, h, m, s] = [Number(day), Number(hour), Number(minute), Number(second)];
  // RFC 5322 §3.3 allows for a leap second.
  if (month === -1 || offsetSecs === undefined || d < 1 || h > 23 || m > 59 || s > 60) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(fullYear(yearText), month, d);
  if (date.getUTCMonth() !== month) return undefined;
  return { unixSecs: date.getTime() / 1000 + h * 3600 + m * 60 + s - offsetSecs, offsetSecs };
}

/** RFC 5322 §4.3. */
function fullYear(text: string): number {
  const year = Number(text);
  if (text.length === 2) return year < 50 ? 2000 + year : 1900 + year;
  return text.length === 3 ? 1900 + year : year;
}

/** Letters that are no zone of RFC 5322 §4.3 say as little as -0000. */
function zoneSecs(zone: string): number | undefined {
  if (!/^[+-]/.test(zone)) return (ZONES[zone.toLowerCase()] ?? 0) * 3600;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3))];
  if (hours > 23 || minutes > 59) return undefined;
  const secs = hours * 3600 + minutes * 60;
  return zone.startsWith('-') && secs > 0 ? -secs : secs;
}

function withoutComments(text: string): string {
  let depth = 0;
  let plain = '';
  for (const [piece] of text.matchAll(/[()]|[^()]+/g)) {
    if (piece === '(') depth += 1;
    else if (piece === ')') depth = Math.max(0, depth - 1);
    else if (depth === 0) plain += piece;
  }
  return plain;
}
