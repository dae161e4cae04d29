/** A case and its goals in words, for tables. Pure. */

const KB = 1024;
const MB = KB * KB;

const stores = { sqlite: 'SQLite', postgres: 'PostgreSQL' };

const FIGURES = {
  delivered_per_s: 'delivered',
  accepted_per_s: 'accepted',
  peak_rss_mb: 'MB of memory',
  syncs_per_message: 'syncs per message',
};

const sizeOf = (bytes) => (bytes >= MB ? `${bytes / MB} MB` : `${bytes / KB} KB`);

/** What a case has that others have not. */
export function describeCase({ way, shape, store, gateways, load }) {
  const parts = [
    way === undefined ? 'another relay' : `${way}, ${shape}`,
    gateways > 1 ? `${gateways} gateways` : undefined,
    stores[store],
    load.sizes === undefined ? sizeOf(load.sizeBytes) : [...new Set(load.sizes)].map(sizeOf).join(' + '),
    load.sessions === 1 ? '1 session' : `${load.sessions} sessions`,
    load.rcpts > 1 ? `${load.rcpts} recipients` : undefined,
    load.perConnection > 0 ? `${load.perConnection} per connection` : undefined,
    load.isPipelining ? 'pipelining' : undefined,
    load.sinkDelayMs > 0 ? `sink answers after ${load.sinkDelayMs} ms` : undefined,
  ];
  return parts.filter((part) => part !== undefined).join(', ');
}

/** What was to be reached. */
export const describeWanted = ({ kind, figure, peer, least, most }) =>
  kind === 'ratio' ? `${FIGURES[figure]} ≥ ${least} × ${peer}` : `${FIGURES[figure]} ≤ ${most}`;

/** What was to be reached, what was, and whether that is enough. */
export function describeGoal(goal) {
  const { value, isMet } = goal;
  if (value === undefined) return `${describeWanted(goal)}: not measured`;
  return `${describeWanted(goal)}: ${value}${isMet ? '' : ' MISSED'}`;
}
