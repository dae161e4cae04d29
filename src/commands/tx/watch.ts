/** Follows a transaction until it has ended. */
import { Args, Command, Flags } from '../../lib/cli/oclif.ts';
import { routerAsk, routerFlags } from '../../lib/cli/router-flags.ts';

export default class TxWatch extends Command {
  static override description = `Follow a transaction until it has ended; a line for each change.

Exit status (sysexits.h), as of send: 0 delivered; 67 no such user; 68 no such host; 69 refused for another reason; 75 given up after temporary failures, or not ended in time.`;
  static override examples = [
    '<%= config.bin %> tx watch 4rVzQ0mJ8sXl2bTn6yKcWg',
    '<%= config.bin %> tx watch 4rVzQ0mJ8sXl2bTn6yKcWg --wait 600',
  ];
  static override args = {
    id: Args.string({ description: 'The transaction: its id or its URL.', required: true }),
  };
  static override flags = {
    ...routerFlags,
    wait: Flags.integer({ description: 'Seconds to watch at most.', default: 604_800, min: 0, max: 31_536_000 }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TxWatch);
    const { runWatch } = await import('../../lib/tools/tx/watch.ts');
    const ask = { ...routerAsk(flags), id: args.id, waitSeconds: flags.wait, json: flags.json };
    const exitCode = await runWatch(ask);
    if (exitCode !== 0) this.exit(exitCode);
  }
}
