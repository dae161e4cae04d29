/** What a run says to people: how far it is, how it ended, and when something is wrong what that is and where to look. Pure. */

/** So many of a list are named. */
const NAMED = 5;

const nameOf = ({ engine, shape, seed }) => `${engine}, ${shape}, seed ${seed}`;

/** `1 message`, `2 messages`. */
const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** One line while it runs. `progress` is that of a `Cluster`. */
export function describeProgress(options, { stage, kills, promised, recipients, queued }, seconds) {
  const waiting = `waiting for ${counted(recipients, 'recipient')}, ${queued} in the queue`;
  const stages = { starting: 'starting', loaded: '', settling: `; ${waiting}`, quiet: '; nothing more should come' };
  const figures = `${kills} of ${options.kills} kills, ${promised} promised`;
  return `${nameOf(options)}: ${stage === 'starting' ? 'starting' : figures + stages[stage]} (${seconds} s)`;
}

/** What a clean run shows, in a sentence. */
export function describeAccount(account) {
  const { kills, promised, recipients, takenForDead } = account;
  const parts = [
    `${counted(promised, 'message')} promised to ${counted(recipients, 'recipient')}, ${endsOf(account)}`,
    twiceOf(account),
    'none lost, altered or stuck',
    takenForDead > 0 ? `${counted(takenForDead, 'router')} taken for dead, only slow` : undefined,
  ];
  return `${nameOf(account)}: ${counted(kills, 'kill')}; ${parts.filter((part) => part !== undefined).join('; ')}`;
}

function endsOf({ bounced, cancelled }) {
  const ends = [
    bounced > 0 ? `or its sender was told that it was refused (${bounced})` : undefined,
    cancelled > 0 ? `or had cancelled it (${cancelled})` : undefined,
  ].filter((end) => end !== undefined);
  return ends.length === 0 ? 'all arrived' : ['each arrived', ...ends].join(', ');
}

function twiceOf({ policy, twice, uncertain }) {
  const { arrived, notArrived } = uncertain;
  if (policy !== 'retry') {
    const held = `${arrived + notArrived} were held as uncertain, ${arrived} of which had arrived`;
    return `none arrived twice: ${held}`;
  }
  if (twice === 0) return 'none arrived twice';
  return `${twice} arrived twice, ${twice === 1 ? '' : 'each '}sent again because the answer to its dot was not recorded`;
}

/** What each fault is, and where to look. */
const FAULTS = {
  lost: ['recipients that never got what they were promised', 'their transactions in the database, and the logs'],
  untold: [
    'recipients that were refused, of which nobody was told',
    'their transactions in the database, and the logs',
  ],
  toldTwice: ['recipients of which a sender was told twice', 'Message-ID and lives of both in the JSON'],
  altered: ['recipients whose message came with other bytes', 'what the store has of it: body, blob or file'],
  misdirected: ["recipients that got somebody else's message", 'the envelope of its transaction in the database'],
  stuck: ['transactions still in the queue after two minutes', 'their histories in the JSON'],
  diedByItself: ['programs that ended though nobody ended them', 'their last words, above and in the logs'],
  badStops: ['programs that did not end with 0 when told to stop', 'their logs'],
  twice: [
    'recipients that got a copy too many',
    '`unexplained` in the JSON: who sent each copy when, and what the store knows',
  ],
  longestSilenceMs: ['ms without any promise, while clients asked all the time', 'what the logs say of that minute'],
  kills: ['disturbances, fewer than were asked for', 'what keeps the programs from promising anything'],
};

/** The lines about a run that is not clean. `keptIn` is the folder with what it left behind, `command` how it is run again. */
export function describeFaults(account, { keptIn, command }) {
  const { kills, promised, recipients, faults } = account;
  const title = `FAIL ${nameOf(account)}: ${counted(kills, 'kill')}; ${counted(promised, 'message')} promised to ${counted(recipients, 'recipient')}`;
  const lines = faults.map((fault) => `  ${fault}: ${describeFault(account, fault)}`);
  return [
    title,
    ...lines,
    `  database, configurations and logs are kept in ${keptIn}`,
    `  again, with the same disturbances: ${command}`,
  ].join('\n');
}

function describeFault(account, fault) {
  const [what, where] = FAULTS[fault];
  const found = account[fault === 'twice' && account.unexplained.length > 0 ? 'unexplained' : fault];
  if (!Array.isArray(found)) return `${what}: ${found}; see ${where}`;
  const names = found.slice(0, NAMED).map(labelOf).join(', ');
  const more = found.length > NAMED ? `, and ${found.length - NAMED} more` : '';
  return `${what} (${found.length}): ${names}${more}; see ${where}`;
}

/** A recipient, a transaction, or the end of a program. */
function labelOf(entry) {
  if (typeof entry === 'string') return entry;
  const { rcpt, life, code, signal, id, rcpt_to: to } = entry;
  if (life !== undefined) return `${life} (${signal ?? `exit code ${code}`})`;
  return rcpt ?? `${id} to ${(to ?? []).join(' ')}`;
}
