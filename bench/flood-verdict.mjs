/** What is wrong with one case of `npm run bench:overload`: sentences, none when it went as it must. Pure. */

/** So many times what the far end takes for all that there is room for is still an answer in good time. */
const PATIENCE_FACTOR = 10;

/**
 * The bound of what the modest client's slowest answers may take: `places` messages are taken at the same time, and the far end works on `lanes` of
 * them at once, for `delayMs` each.
 */
export function boundMs({ places, lanes, delayMs }) {
  return (PATIENCE_FACTOR * places * delayMs) / lanes;
}

/** `account`: of all messages; `clients`: what each was answered; `p99Ms` and `accepted` of the modest one. */
export function faultsOf({ account, clients, accepted, p99Ms }, bound) {
  const faults = [];
  for (const kind of ['lost', 'duplicated', 'altered', 'swapped'])
    if (account[kind] > 0) faults.push(`${account[kind]} messages ${kind}`);
  for (const { name, hasStalled, refusals } of clients) {
    if (hasStalled) faults.push(`the ${name} client was left without an answer`);
    for (const [what, times] of Object.entries(refusals)) faults.push(`the ${name} client: ${times} times ${what}`);
  }
  if (accepted === 0) faults.push('nothing was taken from the modest client');
  else if (p99Ms > bound) faults.push(`the modest client waited ${Math.round(p99Ms)} ms (p99), more than ${bound} ms`);
  return faults;
}
