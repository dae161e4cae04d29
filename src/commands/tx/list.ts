/** Lists transactions of a router, the newest first. */
import { Command, Flags } from '../../lib/cli/oclif.ts';
import { filterAsk, filterFlags, routerAsk, routerFlags } from '../../lib/cli/router-flags.ts';

export default class TxList extends Command {
  static override description = `List transactions of a router, the newest first.

States: active (in work now), deferred (waits for its next attempt), incomplete (waits for its client to upload the message), uncertain (may have been delivered; waits until somebody has it retried or cancelled), and the ends: delivered, failed, cancelled, abandoned (its client went away). Ended ones are kept for storage.gc_ttl seconds.`;
  static override examples = [
    '<%= config.bin %> tx list',
    '<%= config.bin %> tx list --state deferred --to example.com',
    "<%= config.bin %> tx list --from '<>' --limit 500 --json",
  ];
  static override flags = {
    ...routerFlags,
    ...filterFlags,
    limit: Flags.integer({ description: 'How many at most.', default: 50, min: 1, max: 100_000 }),
    after: Flags.string({ description: 'Go on where a list ended, which says how.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(TxList);
    const { runList } = await import('../../lib/tools/tx/list.ts');
    const { limit, after, json } = flags;
    await runList({
      ...routerAsk(flags),
      filter: filterAsk(flags),
      limit,
      json,
      ...(after !== undefined && { after }),
    });
  }
}
