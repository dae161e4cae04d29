/** A signal for people: what a filter observed, without the brackets and quotes of JSON. Its keys stay as policies and the wire name them. */
export function signalText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.map(nested).join('; ');
  if (typeof value !== 'object' || value === null) return value === null || value === '' ? '-' : String(value);
  const facts = Object.entries(value).map(([key, fact]) => `${key} ${nested(fact)}`);
  return facts.length === 0 ? '-' : facts.join(', ');
}

/** What has several facts of its own, where others stand beside it. */
function nested(value: unknown): string {
  const isLong = typeof value === 'object' && value !== null && Object.keys(value).length > 1;
  return isLong ? `(${signalText(value)})` : signalText(value);
}
