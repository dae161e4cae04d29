/** The command line of the benchmark. */
import { cases, quickCases } from './cases.mjs';
import { meant, oneOf, readFlags, UsageError, whole } from './command-line.mjs';
import { MIN_SIZE_BYTES } from './message.mjs';
import { peerNames } from './peers/index.mjs';
import { casesNamed, scenarios } from './scenarios.mjs';
import { garbageOf, piecesOf } from './soak.mjs';

const COUNT_MAX = 10_000_000;
/** Of Linux. */
const PID_MAX = 2 ** 22;
const SIZE_MAX_BYTES = 64 * 1024 * 1024;
/** Messages of all runs together, when nothing says how many. */
const RUN_BYTES = 64 * 1024 * 1024;
const RUN_MESSAGES_MIN = 100;
/** Who is refused for now comes again, as clients do. */
const TRIES = 100;
const SOAK_RUN_S = 60;
const TABLE_RUN_S = 3;
const QUICK = { seconds: 2, repeat: 3 };

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };
const OPTIONS = {
  scenario: { ...text, default: 'all' },
  table: flag,
  quick: flag,
  peers: text,
  store: { ...text, default: 'sqlite' },
  gateways: { ...text, default: '1' },
  prefill: text,
  target: text,
  pid: text,
  size: { ...text, default: '4096' },
  sizes: text,
  sessions: { ...text, default: '20' },
  rcpts: { ...text, default: '1' },
  'per-connection': { ...text, default: '0' },
  pipelining: flag,
  'sink-delay': { ...text, default: '0' },
  'sink-refuse': { ...text, default: '0' },
  'sink-port': { ...text, default: '0' },
  n: text,
  warmup: text,
  seconds: text,
  repeat: text,
  soak: text,
  pace: text,
  patience: { ...text, default: '20' },
  'json-out': text,
  'node-options': text,
  help: { ...flag, short: 'h' },
};

/** Throws a `UsageError`. */
export function readOptions(args) {
  const values = readFlags(args, OPTIONS);
  const soak = whole(values, 'soak', 1, 100_000);
  const pace = whole(values, 'pace', 1, 1_000_000);
  if (pace !== undefined && soak === undefined) throw new UsageError('--pace is for --soak');
  const count = whole(values, 'n', 1, COUNT_MAX);
  const warmup = whole(values, 'warmup', 0, COUNT_MAX);
  const peers = peersOf(values);
  const compares = values.table || values.quick || peers.length > 0 || values.prefill !== undefined;
  const seconds = whole(values, 'seconds', 1, 86_400) ?? secondsOf(values, soak, compares);
  return {
    help: values.help,
    cases: casesOf(values),
    isTable: values.table || values.quick,
    compares,
    peers,
    prefill: prefillOf(values),
    // Without a number of seconds there is always a count.
    countOf: (scenario, load) => count ?? (seconds === undefined ? defaultCount(scenario, load) : undefined),
    warmupOf: (ofRun) => warmup ?? Math.ceil(ofRun / 2),
    seconds,
    repeat: soak ?? whole(values, 'repeat', 1, 1000) ?? QUICK.repeat,
    // What each minute of it offers.
    soak: soak === undefined ? undefined : piecesOf(soak, pace),
    // How its routers collect garbage.
    garbage: soak === undefined ? undefined : garbageOf(seconds),
    load: loadOf(values),
    jsonOut: values['json-out'],
    target: values.target === undefined ? undefined : addressOf(values.target),
    pids: (values.pid ?? '').split(',').filter(Boolean).map(pidOf),
    sinkPort: whole(values, 'sink-port', 0, 65_535),
    nodeOptions: (values['node-options'] ?? '').split(' ').filter(Boolean),
  };
}

function secondsOf({ quick }, soak, compares) {
  if (soak !== undefined) return SOAK_RUN_S;
  if (quick) return QUICK.seconds;
  return compares ? TABLE_RUN_S : undefined;
}

/** What the generator and the sink do. */
function loadOf(values) {
  const sinkRefusedShare = Number(values['sink-refuse']);
  if (!(sinkRefusedShare >= 0 && sinkRefusedShare <= 1)) throw new UsageError('--sink-refuse must be from 0 to 1');
  return {
    ...sizesOf(values),
    sessions: whole(values, 'sessions', 1, 10_000),
    rcpts: whole(values, 'rcpts', 1, 1000),
    perConnection: whole(values, 'per-connection', 0, COUNT_MAX),
    isPipelining: values.pipelining,
    sinkDelayMs: whole(values, 'sink-delay', 0, 3_600_000),
    sinkRefusedShare,
    tries: TRIES,
    patienceMs: whole(values, 'patience', 1, 3600) * 1000,
  };
}

/** With `--sizes`, `sizeBytes` is the mean of them: it says how many messages are a run. */
function sizesOf(values) {
  if (values.sizes === undefined) return { sizeBytes: whole(values, 'size', MIN_SIZE_BYTES, SIZE_MAX_BYTES) };
  if (values.table || values.quick) throw new UsageError('--sizes is not for cases that have a size of their own');
  const sizes = values.sizes.split(',').flatMap((part) => {
    const [, size, times = '1'] = /^(\d{1,9})(?::(\d{1,3}))?$/.exec(part) ?? [];
    const isSize = Number(size) >= MIN_SIZE_BYTES && Number(size) <= SIZE_MAX_BYTES;
    if (!isSize || times === '0')
      throw new UsageError(`--sizes must be like 4096:8,65536:3,1048576, not ${values.sizes}`);
    return Array(Number(times)).fill(Number(size));
  });
  return { sizes, sizeBytes: Math.round(sizes.reduce((sum, size) => sum + size, 0) / sizes.length) };
}

/** At most 64 MB in one run, and never less than a hundred messages. */
const defaultCount = ({ messages }, { sizeBytes }) =>
  Math.max(RUN_MESSAGES_MIN, Math.min(messages, Math.floor(RUN_BYTES / sizeBytes)));

/** What `--scenario` chooses: among the cases of a table, or scenarios with the load of the options. */
function casesOf(values) {
  const store = oneOf(values, 'store', ['sqlite', 'postgres']);
  const gateways = whole(values, 'gateways', 1, 64);
  const plain = scenarios.map((scenario) => ({ ...scenario, store, gateways: gatewaysOf(scenario, gateways) }));
  const chosenFrom = values.table ? cases : values.quick ? quickCases : plain.map((each) => ({ ...each, goals: [] }));
  return casesNamed(chosenFrom, values.scenario);
}

/** In one process there is one gateway. */
const gatewaysOf = ({ shape }, count) => (shape === 'serve' ? 1 : count);

function peersOf({ peers, table, quick }) {
  const words = (peers ?? (table ? 'postfix,haraka,bare,openssl' : quick ? 'bare' : '')).split(',').filter(Boolean);
  const unknown = words.find((word) => !peerNames.includes(word));
  if (unknown !== undefined) {
    throw new UsageError(`--peers: no ${unknown}${meant(unknown, peerNames)}; there are ${peerNames.join(', ')}`);
  }
  return words;
}

function prefillOf({ prefill }) {
  if (prefill === undefined) return undefined;
  const counts = { finished: 0, deferred: 0 };
  for (const part of prefill.split(',')) {
    const [, name, number] = /^(finished|deferred)=(\d{1,8})$/.exec(part) ?? [];
    if (name === undefined) throw new UsageError(`--prefill must be like finished=1000,deferred=100, not ${prefill}`);
    counts[name] = Number(number);
  }
  return counts;
}

const pidOf = (pid) => whole({ pid }, 'pid', 1, PID_MAX);

function addressOf(given) {
  const [, host, port] = /^(.+):(\d+)$/.exec(given) ?? [];
  if (host === undefined) throw new UsageError(`--target must be HOST:PORT, not ${given}`);
  return { protocol: 'smtp', host, ports: [Number(port)] };
}
