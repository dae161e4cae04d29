/** Cancels transactions that have not ended. */
import { Command, Flags } from '../../lib/cli/oclif.ts';
import { filterAsk, filterFlags, routerAsk, routerFlags } from '../../lib/cli/router-flags.ts';

export default class TxCancel extends Command {
  static override description =
    `Cancel transactions: what waits is not tried again, what is in work is stopped where that is still possible. Nobody is notified. Those that have ended stay as they are.

With ids: those. With a filter instead: all that are deferred and like that (or in the state that --state says); without --yes they are only counted.`;
  static override examples = [
    '<%= config.bin %> tx cancel 4rVzQ0mJ8sXl2bTn6yKcWg Xk2mPq9LrT5vYw8zAbCdEf',
    '<%= config.bin %> tx cancel --to example.com --yes',
  ];
  static override strict = false;
  static override usage = [
    'tx cancel ID... [--url URL] [--json]',
    'tx cancel --sender|--state|--to|--from|--parent VALUE [--yes]',
  ];
  static override flags = {
    ...routerFlags,
    ...filterFlags,
    yes: Flags.boolean({ char: 'y', description: 'Do it to all that the filter finds.' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(TxCancel);
    const { runChange } = await import('../../lib/tools/tx/change.ts');
    const { yes, json } = flags;
    const ids = argv.map(String);
    const ask = { ...routerAsk(flags), verb: 'cancel', ids, filter: filterAsk(flags), yes, json } as const;
    const exitCode = await runChange(ask);
    if (exitCode !== 0) this.exit(exitCode);
  }
}
