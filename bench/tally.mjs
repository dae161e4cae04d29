/** What arrived in one run, and what that means for what was sent. Pure accounting: no sockets, no clock. */

export class Tally {
  #runId;
  #crcs;
  #isThere;
  #rcpts;
  /** When each recipient's copy arrived first, in ms; 0 for not at all. */
  at;
  unique = 0;
  duplicated = 0;
  altered = 0;
  /** The envelope of one message with the content of another. */
  swapped = 0;
  /** Of another run: for example a duplicate that came late. */
  stray = 0;

  /** `rcpts`: recipients of each message; those of message `n` have the numbers from `n * rcpts` on. `crcs`: of message 0, 1 and so on, in turn. */
  constructor({ runId, count, rcpts, crcs }) {
    this.#runId = runId;
    this.#crcs = crcs;
    this.#rcpts = rcpts;
    this.#isThere = new Uint8Array(count * rcpts);
    this.at = new Float64Array(count * rcpts);
  }

  get runId() {
    return this.#runId;
  }

  /** One message for one recipient: the numbers in its envelope and in its content, -1 when they are of another run. */
  deliver({ rcptNumber, contentNumber, crc, at }) {
    if (!(rcptNumber >= 0 && rcptNumber < this.at.length)) {
      this.stray += 1;
      return;
    }
    if (contentNumber !== Math.floor(rcptNumber / this.#rcpts)) this.swapped += 1;
    else if (crc !== this.#crcs[contentNumber % this.#crcs.length]) this.altered += 1;
    if (this.#isThere[rcptNumber] === 1) {
      this.duplicated += 1;
      return;
    }
    this.#isThere[rcptNumber] = 1;
    this.at[rcptNumber] = at;
    this.unique += 1;
  }

  /** Plain values, to be sent to another process. */
  report() {
    const { at, unique, duplicated, altered, swapped, stray } = this;
    return { at, unique, duplicated, altered, swapped, stray };
  }
}

/**
 * Compares what was accepted with what arrived. `acceptedAt` has 0 where the answer was not a positive one. `unpromised` arrived although nobody
 * said that it was accepted: SMTP allows that, and a client that tries again makes it a duplicate. Counts copies, one for each recipient.
 */
export function judge(acceptedAt, rcpts, arrived) {
  let lost = 0;
  let unpromised = 0;
  let accepted = 0;
  for (let i = 0; i < arrived.at.length; i += 1) {
    const isAccepted = acceptedAt[Math.floor(i / rcpts)] > 0;
    const isThere = arrived.at[i] > 0;
    if (isAccepted) accepted += 1;
    if (isAccepted && !isThere) lost += 1;
    if (!isAccepted && isThere) unpromised += 1;
  }
  const { unique: delivered, duplicated, altered, swapped, stray } = arrived;
  const refused = arrived.at.length - accepted;
  return { accepted, delivered, lost, duplicated, altered, swapped, stray, refused, unpromised };
}

/** What must be zero in every run. */
export const FAULTS = ['lost', 'duplicated', 'altered', 'swapped', 'stray', 'refused'];

/** Whether every message was accepted and arrived once, as it was. */
export const isClean = (run) => FAULTS.every((key) => run[key] === 0);

/** How many messages of all runs did not arrive once and as they were. */
export const faultsIn = (runs) =>
  runs.reduce((sum, run) => sum + FAULTS.reduce((faults, key) => faults + (run[key] ?? 0), 0), 0);
