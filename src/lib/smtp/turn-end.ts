/**
 * What one turn of the event loop has to say, on all its connections, is written at the end of the turn. Each write of a server that is busy wakes
 * somebody, another process or the network's, and to be woken once for many is much cheaper for both than to be woken for each.
 */

let waiting: (() => void)[] = [];

/**
 * A function that has `write` called, once however often it is asked, when the events that have come so far are dealt with: before the loop looks
 * for others, or sleeps. `write` must not throw.
 */
export function oncePerTurn(write: () => void): () => void {
  let isDue = false;
  const writeDue = (): void => {
    isDue = false;
    write();
  };
  return () => {
    if (isDue) return;
    isDue = true;
    if (waiting.push(writeDue) === 1) setImmediate(writeAll);
  };
}

function writeAll(): void {
  const writes = waiting;
  waiting = [];
  for (const write of writes) write();
}
