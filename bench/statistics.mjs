/** Order statistics of a few or of many numbers. */

/** The value below which the share `p` of them lies (nearest rank); `undefined` of none. `values` get sorted. */
export function percentile(values, p) {
  values.sort((a, b) => a - b);
  return values[Math.min(values.length - 1, Math.floor(p * values.length))];
}

/** The middle one; the mean of the two middle ones of an even number. Missing values do not count. */
export function median(values) {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return undefined;
  return Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
}

/** With as many digits as mean something. */
export const round = (value) => (value === undefined ? undefined : Number(value.toPrecision(4)));
