/** Tells a peer that nobody waits for a transaction any more, when it has not answered to its message yet. */
import { limits } from '../core/limits.ts';
import { startDeadline } from './deadline.ts';
import type { Peer, RemoteTransaction } from './remote-transaction.ts';

/** Resolves when the peer has heard it, or after a moment: one that does not forgets the transaction by itself. */
export async function cancelRemote({ deps }: Peer, remote: RemoteTransaction): Promise<void> {
  if (remote.view.data !== undefined) return;
  const { clock, log } = deps;
  const deadline = startDeadline(clock, limits.cancelMs);
  try {
    await remote.cancel(deadline);
  } catch (error) {
    log.debug({ error }, 'a cancel did not reach the next hop');
  } finally {
    deadline.clear();
  }
}
