/**
 * A bare relay on the libraries that Koukan stands on, to know what they leave to gain: no policies, no headers, no retries, no recovery, no limits. It
 * exists to be measured and is of no other use.
 *
 *   node relay.mjs --front smtp|rest --store none|FILE --port P --sink-port P
 *
 * `--store none`: the answer waits for the sink's (cut-through). A file: SQLite, committed before the answer, delivered from memory after it.
 */
import { parseArgs } from 'node:util';
import { CommitQueue } from './commit-queue.mjs';
import { startRest } from './rest-front.mjs';
import { SenderPool } from './sender-pool.mjs';
import { startSmtp } from './smtp-front.mjs';

const TRY_AGAIN_MS = 500;

const { values } = parseArgs({
  options: {
    front: { type: 'string', default: 'smtp' },
    store: { type: 'string', default: 'none' },
    port: { type: 'string' },
    'sink-port': { type: 'string' },
  },
});

const senders = new SenderPool(Number(values['sink-port']));

/** Delivers a stored message, however often that takes; what is delivered is deleted with the next commit. */
async function deliver(queue, id, message) {
  for (;;) {
    try {
      await senders.send(message);
      queue.forget(id);
      return;
    } catch (error) {
      process.stderr.write(`bare relay: ${error.message}\n`);
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MS));
    }
  }
}

/** Resolves when the message may be answered for. */
function takerOf(store) {
  if (store === 'none') return (message) => senders.send(message);
  const queue = new CommitQueue(store);
  return async (message) => {
    const id = await queue.commit(message);
    void deliver(queue, id, message);
  };
}

const start = { smtp: startSmtp, rest: startRest }[values.front];
await start(Number(values.port), takerOf(values.store));
