/**
 * When each life of a program ended, when one stood still, and when the database was in trouble: what alone can keep an answer of the far end from
 * being recorded. Times are those of `performance.now()`.
 */

/** An answer that nobody kept from it is recorded that soon, on a machine that has other work too. */
export const RECORDED_WITHIN_MS = 5000;

export class Ends {
  /** By life: `[from, until]`, without end for one that is dead. */
  #absences = new Map();
  #troubles = [];

  ended(life, at) {
    this.absent(life, at, Number.POSITIVE_INFINITY);
  }

  absent(life, from, until) {
    this.#absences.set(life, [...(this.#absences.get(life) ?? []), [from, until]]);
  }

  /** Nobody can record anything, until the answered function says that it is over. */
  trouble(from, until = Number.POSITIVE_INFINITY) {
    const trouble = [from, until];
    this.#troubles.push(trouble);
    return (at) => {
      trouble[1] = at;
    };
  }

  /** Whether the database was in trouble at some moment of that time, or shortly before. */
  hadTrouble(from, until) {
    return this.#troubles.some(([start, end]) => start <= until && from <= end + RECORDED_WITHIN_MS);
  }

  /** Whether its router was dead, or had just stood still, when this copy came. */
  isStale({ router, at }) {
    return this.isAway(router, at);
  }

  /** Whether this life was over then, or stood still, or had done so shortly before. */
  isAway(life, at) {
    return (this.#absences.get(life) ?? []).some(([from, until]) => from <= at && at <= until + RECORDED_WITHIN_MS);
  }

  /** Whether somebody who had to do with this copy was kept from recording its answer, before the message was sent again at `nextAt`. */
  excuses({ router, client, at }, nextAt = Number.POSITIVE_INFINITY) {
    const latest = Math.min(at + RECORDED_WITHIN_MS, nextAt);
    const wasAway = ([from, until]) => from <= latest && at <= until + RECORDED_WITHIN_MS;
    const absences = [router, client].flatMap((life) => this.#absences.get(life) ?? []);
    return [...absences, ...this.#troubles].some(wasAway);
  }
}

/**
 * Whether a recipient may have so many copies: all but the one that was recorded have an excuse, and the store knows of an attempt for each. `story` is
 * what it says, undefined when it has forgotten the message by now.
 */
export function isExplained(copies, story, ends) {
  // After that nothing goes out any more, except from somebody who has been taken for dead.
  const recorded = copies.findLast((copy) => !ends.isStale(copy)) ?? copies.at(-1);
  const areExcused = copies.every((copy, i) => copy === recorded || ends.excuses(copy, copies[i + 1]?.at));
  if (!areExcused || story === undefined) return areExcused;
  return story.delivered <= 1 && copies.length <= story.delivered + story.unrecorded;
}
