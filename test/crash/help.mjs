/** What `npm run crash -- --help` prints. */

/** Each figure of the account of a run, in its order there, and what it means. */
export const FIGURES = {
  engine: 'sqlite or postgres',
  shape: 'serve: one process; split: routers and gateways are processes of their own',
  policy: 'what becomes of a message whose answer is not known: docs/durability.md',
  seed: 'the same seed chooses the same disturbances',
  kills: 'disturbances that were done, of whatever kind',
  promised: 'messages that were answered 250 or 201',
  recipients: 'those of them to whom a message was promised',
  ways: 'how many messages came how: SMTP (stored, or cut through), or REST (inline, built by the router, in pieces)',
  large:
    'recipients of messages that have a file of their own, and how many of these came from the disk, after a restart',
  cancelled: 'recipients whose message its sender has cancelled: it need not arrive, but may',
  arrived:
    'recipients that got a message, whole; also some that were promised nothing, as their client was never answered',
  lost: '[] recipients that were promised a message which never came',
  untold: '[] recipients that were refused, of which the sender was never told',
  altered: '[] recipients whose message came with other bytes',
  misdirected: "[] recipients that got somebody else's message",
  stuck: '[] histories of what was still in the queue after two minutes',
  uncertain: 'messages held for somebody to decide, by whether they had arrived',
  bounced: 'recipients that were refused, of which the sender was told',
  bouncedTwice: 'of these, those of which he was told twice',
  toldTwice: '[] of these, those without a reason',
  twice: 'recipients that got their message more than once',
  journalled: 'of these, those of which the store knows that an attempt was cut off after its dot',
  unexplained: '[] of these, those without a reason: nobody who sent it ended before its answer could be recorded',
  longestSilenceMs:
    'the longest time without any promise, while clients asked all the time; more than a minute is a fault',
  disturbances:
    'by kind: program (kill -9), orderly (SIGTERM), stopped (SIGSTOP, and on), database (killed, or cut off)',
  takenForDead: 'routers that were only slow, and were taken over as if they had died',
  diedByItself: '[] programs that ended though nobody ended them',
  badStops: '[] programs that did not end with 0 when they were told to stop',
  lives: 'how often each program was started',
  faults: '[] which of these figures should be others: empty for a clean run',
};

const figureLines = Object.entries(FIGURES).map(([name, meaning]) => `  ${name.padEnd(17)} ${meaning}`);

export const HELP = `Usage: npm run crash -- [options]

Sends mail through Koukan, kills its programs and its database under load at moments that a seed chooses, and accounts for every promise:
what was answered 250 or 201 arrives with each of its bytes, or its sender is told; twice only when an end of a program, or trouble of its
database, kept its answer from being recorded. Everything is on 127.0.0.1. Standard error has progress and a sentence at the end; standard
output one line of JSON for each engine and shape. Exit code 1 when anything is wrong (then its database, configurations and logs are
kept), 64 for wrong options, 69 without a database.

What
  --engine ENGINE    sqlite, postgres, or both, one after the other (default: both)
  --shape SHAPE      serve: one process; split: routers and gateways are processes; or both (default: both)
  --policy POLICY    of senders, for messages whose answer is not known: retry, hold or ask (default: retry)
  --routers COUNT    a cluster on PostgreSQL: shape split (default: 2 on PostgreSQL, one on SQLite)
  --gateways COUNT   of shape split (default: 2)
  --postgres URL     an empty database for one run, whose connections are cut, instead of a PostgreSQL of its own, which is killed

How much
  --kills COUNT      disturbances of each run (default: 30)
  --seed NUMBER      which ones, and when; the same seed, the same ones (default: 1)
  --clients COUNT    that send at the same time: SMTP, and REST (default: 8)
  --between COUNT    up to so many promises from one disturbance to the next: queues grow, programs become old (default: 30)
  --gc SECONDS       what is finished is forgotten after so long (default: never during a run)
  --help

Examples:
  npm run crash -- --kills 3                                    all engines and shapes, a minute or two
  npm run crash -- --engine sqlite --shape serve --kills 200
  npm run crash -- --routers 3 --kills 60 --seed 905
  npm run crash -- --engine postgres --policy hold --gc 2
  npm run crash -- --shape serve --between 1000 --kills 10      large queues

The account, in which [] is a list that is empty when all is well:
${figureLines.join('\n')}
`;
