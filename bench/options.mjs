/** The command line of the benchmark. */
import { parseArgs } from 'node:util';
import { MIN_SIZE_BYTES } from './message.mjs';
import { scenarios, scenariosNamed } from './scenarios.mjs';

export const HELP = `Usage: npm run bench -- [options]

Sends messages through Koukan to a sink of its own, everything on 127.0.0.1, accounts for every one of them, and prints one line of
JSON for each scenario: the medians of its runs. Progress goes to standard error. Exit code 1 when a message was lost, duplicated,
altered or refused, 64 for wrong options.

  --scenario NAMES   separated by commas; a part of the names (relay, serve) stands for all that have it (default: all)
${scenarios.map(({ name, summary }) => `                       ${name.padEnd(13)} ${summary}`).join('\n')}
  --store KIND       sqlite, or postgres: a server of its own, with fsync (default: sqlite)
  --n COUNT          messages of a run (default: 3000 in one process, 1000 in two, fewer of more than 16 KB)
  --size BYTES       of a message, header and body (default: 4096)
  --sessions COUNT   SMTP sessions, or REST clients, at the same time (default: 20)
  --rcpts COUNT      recipients of each message (default: 1)
  --per-connection COUNT  messages of one SMTP connection, 0 for no limit (default: 0)
  --pipelining       MAIL, RCPT and DATA in one packet
  --sink-delay MS    the sink answers the final dot so much later (default: 0)
  --sink-refuse SHARE  so many of the messages, 0 to 1, are refused with 451 the first time (default: 0)
  --warmup COUNT     messages before the first run, not measured (default: a half of --n)
  --repeat COUNT     measured runs of each scenario (default: 3)
  --patience SECONDS without an acceptance or a delivery, after which what is missing is lost (default: 20)
  --json-out FILE    all runs of all scenarios, with machine and versions
  --target HOST:PORT measure another SMTP relay instead, which delivers to --sink-port
  --pid PIDS         with --target: its processes, for CPU and memory
  --sink-port PORT   where the sink listens (default: any)
  --node-options OPT options of node for the processes under test, for example --node-options=--cpu-prof
  --help

Examples:
  npm run bench
  npm run bench -- --scenario relay --size 65536 --n 1000
  npm run bench -- --scenario stored-serve --store postgres --json-out stored.json
  npm run bench -- --target 127.0.0.1:2525 --sink-port 3025 --pid 4711
`;

const COUNT_MAX = 10_000_000;

/** What a user can mend. */
export class UsageError extends Error {}

const text = { type: 'string' };
const OPTIONS = {
  scenario: { ...text, default: 'all' },
  store: { ...text, default: 'sqlite' },
  n: text,
  size: { ...text, default: '4096' },
  sessions: { ...text, default: '20' },
  rcpts: { ...text, default: '1' },
  'per-connection': { ...text, default: '0' },
  pipelining: { type: 'boolean', default: false },
  'sink-delay': { ...text, default: '0' },
  'sink-refuse': { ...text, default: '0' },
  warmup: text,
  repeat: { ...text, default: '3' },
  patience: { ...text, default: '20' },
  'json-out': text,
  target: text,
  pid: text,
  'sink-port': { ...text, default: '0' },
  'node-options': text,
  help: { type: 'boolean', default: false },
};

/** Throws a `UsageError`. */
export function readOptions(args) {
  const values = parse(args);
  const sizeBytes = whole(values, 'size', MIN_SIZE_BYTES, 64 * 1024 * 1024);
  const count = whole(values, 'n', 1, COUNT_MAX);
  const warmup = whole(values, 'warmup', 0, COUNT_MAX);
  const countOf = (scenario) => count ?? defaultCount(scenario, sizeBytes);
  return {
    help: values.help,
    scenarios: namedScenarios(values.scenario),
    store: oneOf(values, 'store', ['sqlite', 'postgres']),
    countOf,
    warmupOf: (scenario) => warmup ?? Math.ceil(countOf(scenario) / 2),
    load: loadOf(values, sizeBytes),
    repeat: whole(values, 'repeat', 1, 1000),
    jsonOut: values['json-out'],
    target: values.target === undefined ? undefined : addressOf(values.target),
    pids: (values.pid ?? '').split(',').filter(Boolean).map(Number),
    sinkPort: whole(values, 'sink-port', 0, 65_535),
    nodeOptions: (values['node-options'] ?? '').split(' ').filter(Boolean),
  };
}

/** What the generator and the sink do. */
function loadOf(values, sizeBytes) {
  const sinkRefusedShare = Number(values['sink-refuse']);
  if (!(sinkRefusedShare >= 0 && sinkRefusedShare <= 1)) throw new UsageError('--sink-refuse must be from 0 to 1');
  return {
    sizeBytes,
    sessions: whole(values, 'sessions', 1, 10_000),
    rcpts: whole(values, 'rcpts', 1, 1000),
    perConnection: whole(values, 'per-connection', 0, COUNT_MAX),
    isPipelining: values.pipelining,
    sinkDelayMs: whole(values, 'sink-delay', 0, 3_600_000),
    sinkRefusedShare,
    // A sink that refuses for now makes a relay do so that asks it while the client waits.
    tries: sinkRefusedShare > 0 ? 100 : 1,
    patienceMs: whole(values, 'patience', 1, 3600) * 1000,
  };
}

function parse(args) {
  try {
    return parseArgs({ args, options: OPTIONS, strict: true }).values;
  } catch (error) {
    throw new UsageError(error.message);
  }
}

/** At most 64 MB in one run, and never less than a hundred messages. */
const defaultCount = ({ messages }, sizeBytes) =>
  Math.max(100, Math.min(messages, Math.floor((64 * 1024 * 1024) / sizeBytes)));

function whole(values, name, min, max) {
  const given = values[name];
  if (given === undefined) return undefined;
  const number = Number(given);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not ${given}`);
}

function oneOf(values, name, choices) {
  if (choices.includes(values[name])) return values[name];
  throw new UsageError(`--${name} must be ${choices.join(' or ')}, not ${values[name]}`);
}

function namedScenarios(names) {
  try {
    return scenariosNamed(names.split(','));
  } catch (error) {
    throw new UsageError(`--scenario: ${error.message}`);
  }
}

function addressOf(given) {
  const [, host, port] = /^(.+):(\d+)$/.exec(given) ?? [];
  if (host === undefined) throw new UsageError(`--target must be HOST:PORT, not ${given}`);
  return { protocol: 'smtp', host, ports: [Number(port)] };
}
