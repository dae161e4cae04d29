/** The cases of the whole table (`--table`): a scenario, a load, with whom it is compared, and the goal. */
import { scenarioOf } from './scenarios.mjs';

const KB = 1024;
const MB = 1024 * KB;

/** `figure` at least `least` times what the peer has in the same run. */
const over = (peer, least, figure = 'delivered_per_s') => ({ kind: 'ratio', figure, peer, least });
/** Not more of `figure` than this. */
const atMost = (figure, most) => ({ kind: 'atMost', figure, most });

/** So much CPU and so many syncs as one can have with 20 sessions. */
const SYNCS = atMost('syncs_per_message', 0.25);
const MEMORY = atMost('peak_rss_mb', 250);
const LARGE_MEMORY = atMost('peak_rss_mb', 400);

/** The first of so many at once is through when nearly all are. */
const LARGE = { sizeBytes: 50 * MB, patienceMs: 120_000 };

const described = ({
  name,
  way,
  shape = 'serve',
  store = 'sqlite',
  gateways = 1,
  load = {},
  count,
  goals = [],
  ...more
}) => ({
  ...scenarioOf(way, shape),
  name,
  store,
  gateways,
  load,
  count,
  goals,
  countsSyncs: goals.includes(SYNCS),
  ...more,
});

/** `python`: messages per second of Koukan in Python in that load, measured once and elsewhere. Where there is none, nothing is known. */
export const cases = [
  { name: 'stored-4k', way: 'stored', goals: [over('postfix-queue', 5), over('bare-store', 0.7), SYNCS], python: 26 },
  { name: 'stored-postgres', way: 'stored', store: 'postgres', goals: [over('postfix-queue', 2), SYNCS] },
  { name: 'stored-64k', way: 'stored', load: { sizeBytes: 64 * KB }, goals: [over('postfix-queue', 3)], python: 24 },
  { name: 'stored-1m', way: 'stored', load: { sizeBytes: MB }, goals: [over('postfix-queue', 1.5)], python: 12 },
  { name: 'stored-100-sessions', way: 'stored', load: { sessions: 100 }, goals: [MEMORY], peers: ['postfix-queue'] },
  { name: 'stored-slow-sink', way: 'stored', load: { sinkDelayMs: 50, sessions: 100 }, peers: ['postfix-queue'] },
  { name: 'stored-split', way: 'stored', shape: 'split', peers: ['postfix-queue'] },
  { name: 'relay-4k', way: 'relay', goals: [over('postfix-proxy', 2.5)], peers: ['bare-cut'], python: 26 },
  { name: 'relay-split', way: 'relay', shape: 'split', goals: [over('postfix-proxy', 0.75)] },
  { name: 'relay-split-gateways', way: 'relay', shape: 'split', gateways: 2, peers: ['postfix-proxy'] },
  { name: 'relay-split-postgres', way: 'relay', shape: 'split', store: 'postgres', peers: ['postfix-proxy'] },
  { name: 'relay-64k', way: 'relay', load: { sizeBytes: 64 * KB }, goals: [over('postfix-proxy', 1.8)], python: 24 },
  { name: 'relay-1m', way: 'relay', load: { sizeBytes: MB }, goals: [over('postfix-proxy', 1.2)], python: 12 },
  { name: 'relay-1-session', way: 'relay', load: { sessions: 1 }, goals: [over('postfix-proxy', 1.5)], python: 22 },
  {
    name: 'relay-100-sessions',
    way: 'relay',
    load: { sessions: 100 },
    goals: [over('postfix-proxy', 2.2), MEMORY],
    python: 2,
  },
  { name: 'relay-reconnect', way: 'relay', load: { perConnection: 1 }, goals: [over('postfix-proxy', 1.5)] },
  { name: 'relay-pipelining', way: 'relay', load: { isPipelining: true }, peers: ['postfix-proxy'], python: 12 },
  { name: 'relay-slow-sink', way: 'relay', load: { sinkDelayMs: 50, sessions: 100 }, peers: ['postfix-proxy'] },
  {
    name: 'rest-4k',
    way: 'rest',
    goals: [over('bare-rest', 0.5, 'accepted_per_s'), over('postfix-queue', 3), SYNCS],
    python: 26,
  },
  { name: 'rest-postgres', way: 'rest', store: 'postgres', peers: ['postfix-queue'] },
  { name: 'sign-4k', way: 'sign', goals: [over('openssl', 0.6)] },
  { name: 'relay-50m', way: 'relay', load: LARGE, count: 40, goals: [LARGE_MEMORY] },
  { name: 'stored-50m', way: 'stored', load: LARGE, count: 40, goals: [LARGE_MEMORY] },
].map(described);

/** The names of all that a case is measured with. */
export const peersOf = ({ goals, peers = [] }) => [
  ...new Set([...goals.map(({ peer }) => peer).filter((peer) => peer !== undefined), ...peers]),
];

/** What the short form measures: what a day's work on Koukan may have changed, against the same libraries with nothing around them. */
export const quickCases = [
  { name: 'stored-4k', way: 'stored', peers: ['bare-store'] },
  { name: 'relay-4k', way: 'relay', peers: ['bare-cut'] },
  { name: 'rest-4k', way: 'rest', peers: ['bare-rest'] },
  { name: 'relay-split', way: 'relay', shape: 'split', peers: ['bare-cut'] },
].map(described);
