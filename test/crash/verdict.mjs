/** What is wrong with the account of a run. Pure. */

/** Nobody has to wait that long for a promise, however many programs are killed. */
export const SILENCE_MS = 60_000;

const EMPTY_LISTS = ['lost', 'untold', 'toldTwice', 'altered', 'misdirected', 'stuck', 'diedByItself', 'badStops'];

/** The names of what should not be; none for a clean run. `kills` is how many disturbances were asked for. */
export function faultsOf(account, { kills, policy }) {
  const faults = EMPTY_LISTS.filter((name) => account[name].length > 0);
  if (policy === 'retry' ? account.unexplained.length > 0 : account.twice > 0) faults.push('twice');
  if (account.longestSilenceMs > SILENCE_MS) faults.push('longestSilenceMs');
  if (account.kills < kills) faults.push('kills');
  return faults;
}
