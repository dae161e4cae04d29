/** What `npm run bench -- --help` prints. */
import { cases } from './cases.mjs';
import { peerNames } from './peers/index.mjs';
import { scenarios } from './scenarios.mjs';

export const HELP = `Usage: npm run bench -- [options]

Sends messages through Koukan, and through others, to a sink of its own, everything on 127.0.0.1, and accounts for every one of them.
Progress goes to standard error. Standard output has one line of JSON for each scenario, the medians of its runs; with --table, --quick
or --peers a table: medians, spreads, and ratios with their goals. Exit code 1 when a message was lost, duplicated, altered or refused,
or when after a long load memory or the store has grown or the rate has fallen; 64 for wrong options.

What
  --scenario NAMES   separated by commas; a part of the names (relay, serve) stands for all that have it (default: all)
${scenarios.map(({ name, summary }) => `                       ${name.padEnd(13)} ${summary}`).join('\n')}
  --table            the cases that have a goal, and some more, each against its peers, about ${Math.ceil(cases.length)} minutes; --scenario chooses among them:
${namesInLines(cases.map(({ name }) => name))}
  --quick            Koukan against a bare relay on the same libraries, less than two minutes
  --peers NAMES      measure these, too, in turns: ${peerNames.join(', ')} (default with --table: all of them; those
                     that are not found are left out)
  --store KIND       sqlite, or postgres: a server of its own, with fsync (default: sqlite)
  --gateways COUNT   gateway processes of a split (default: 1)
  --prefill WHAT     a second Koukan whose store has a past: finished=1000000,deferred=100000
  --target HOST:PORT measure another SMTP relay instead, which delivers to --sink-port
  --pid PIDS         with --target: its processes, for CPU and memory

Load
  --size BYTES       of a message, header and body (default: 4096)
  --sizes SIZE:TIMES,...  messages of several sizes in turn, so many times each: 4096:8,65536:3,1048576
  --sessions COUNT   SMTP sessions, or REST clients, at the same time (default: 20)
  --rcpts COUNT      recipients of each message (default: 1)
  --per-connection COUNT  messages of one SMTP connection, 0 for no limit (default: 0)
  --pipelining       MAIL, RCPT and DATA in one packet
  --sink-delay MS    the sink answers the final dot so much later (default: 0)
  --sink-refuse SHARE  so many of the messages, 0 to 1, are refused with 451 the first time (default: 0)
  --sink-port PORT   where the sink listens (default: any)

How long
  --n COUNT          messages of a run (default: 3000 in one process, 1000 in two, fewer of more than 16 KB)
  --warmup COUNT     messages before the first run, not measured (default: a half of --n)
  --seconds COUNT    as many messages as take about so long, found out before, instead of --n (default with others: 3)
  --repeat COUNT     measured runs of each scenario (default: 3)
  --soak MINUTES     one run after the other, each of about a minute (or of --seconds): rate, memory and store of each, a verdict, and
                     bursts against the aged process and a fresh one; what has ended is collected after a minute
  --pace RATE        with --soak: so many messages are offered in a second, but in the first and the last two minutes
  --patience SECONDS without an acceptance or a delivery, after which what is missing is lost (default: 20)

Output
  --json-out FILE    everything, with machine and versions; node bench/write-tables.mjs --json FILE writes docs/performance.md from it
  --node-options OPT options of node for the processes under test, for example --node-options=--cpu-prof
  --help

Examples:
  npm run bench:quick
  npm run bench -- --table --json-out table.json
  npm run bench -- --scenario relay-serve --peers postfix,haraka --sessions 100
  npm run bench -- --scenario stored-serve --store postgres --prefill finished=1000000,deferred=100000
  npm run bench -- --scenario relay-serve --soak 60 --pace 500
  npm run bench -- --scenario stored-serve --soak 60 --sizes 4096:8,65536:3,1048576
  npm run bench -- --target 127.0.0.1:2525 --sink-port 3025 --pid 4711
`;

function namesInLines(names) {
  const lines = [''];
  for (const name of names) {
    if (lines.at(-1).length + name.length > 100) lines.push('');
    lines.push(`${lines.pop()} ${name}`);
  }
  return lines.map((line) => `                      ${line}`).join('\n');
}
