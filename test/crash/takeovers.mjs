/**
 * Who was taken for dead, by what the routers have logged. One that was killed, or stood still, is known to have been; on a machine with other work it
 * may also be one that was only slow, and then what it had sent in that moment goes out once more although nobody has disturbed it.
 */

/**
 * The `session_uri` of each, and when it was, in ms since 1970. `log`: lines of JSON; any others are passed over. A line about it is known by its fields,
 * whatever its words are; test/router/session.test.ts holds what is logged against this.
 */
export function takeoversIn(log) {
  return log.split('\n').flatMap((line) => {
    const { time, took_over_from: uris, released } = parsed(line);
    // Those of which nothing was released have given another sign of life, or had nothing in work.
    if (uris === undefined || !(released > 0)) return [];
    return uris.map((uri) => ({ uri, at: Date.parse(time) }));
  });
}

/**
 * Which of a program's lives was taken over then; the names of all of them and when they began, in order. That was the one which had given its last sign so
 * long before: one that has begun since may only have the same address.
 */
export function lifeTakenOver(lives, at, ttlMs) {
  return lives.findLast((life) => life.at <= at - ttlMs)?.life ?? '';
}

/** What was written by something else than the log, such as the last words of a program. */
export function lastWordsIn(log) {
  return log
    .split('\n')
    .filter((line) => parsed(line) === NOTHING)
    .join('\n');
}

const NOTHING = {};

function parsed(line) {
  try {
    return JSON.parse(line) ?? NOTHING;
  } catch {
    return NOTHING;
  }
}
