/** The queue of a router as an operator sees it: what is left in it, and what is done about what is uncertain. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Not `incomplete`: what its client has given up is forgotten after `gc_ttl`. */
const OPEN_STATES = ['active', 'deferred'];

/** All transactions that are like that. */
export async function listed(ports, query) {
  const found = [];
  for (let page = `/transactions?${query}`; page !== undefined; ) {
    const { transactions, next } = await read(ports, page);
    found.push(...transactions);
    page = next === undefined ? undefined : next.slice(new URL(next).origin.length);
  }
  return found;
}

/** What whichever router answers says. */
export async function read(ports, path) {
  for (let turn = 0; ; turn += 1) {
    try {
      const response = await fetch(`http://127.0.0.1:${ports[turn % ports.length]}${path}`);
      if (response.ok) return await response.json();
      throw new Error(`${path}: ${response.status}`);
    } catch (error) {
      if (turn === 600) throw error;
      await sleep(100); // it is not up yet
    }
  }
}

/** What somebody still has to do. */
export async function leftOver(ports) {
  const left = [];
  for (const state of OPEN_STATES) left.push(...(await listed(ports, `state=${state}`)));
  return left;
}

/** An operator who knows what has arrived: `retry` for what has not, `cancel` for what has. */
export async function decide(ports, { uri }, verb) {
  const { pathname } = new URL(uri);
  for (let turn = 0; turn < 600; turn += 1) {
    try {
      const response = await fetch(`http://127.0.0.1:${ports[turn % ports.length]}${pathname}/${verb}`, {
        method: 'POST',
      });
      if (response.ok) return;
    } catch {
      // not up yet
    }
    await sleep(100);
  }
  throw new Error(`${pathname} could not be decided`);
}
