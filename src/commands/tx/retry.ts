/** Makes waiting transactions due at once. */
import { Command, Flags } from '../../lib/cli/oclif.ts';
import { filterAsk, filterFlags, routerAsk, routerFlags } from '../../lib/cli/router-flags.ts';

export default class TxRetry extends Command {
  static override description =
    `Try transactions now that wait for their next attempt, or that are uncertain (which may then arrive twice). Those that have ended, or are in work, are left as they are and named on standard error.

With ids: those. With a filter instead: all that are deferred and like that (or in the state that --state says); without --yes they are only counted.`;
  static override examples = [
    '<%= config.bin %> tx retry 4rVzQ0mJ8sXl2bTn6yKcWg Xk2mPq9LrT5vYw8zAbCdEf',
    '<%= config.bin %> tx retry --to example.com --yes',
    '<%= config.bin %> tx retry --state uncertain --yes',
  ];
  static override strict = false;
  static override usage = [
    'tx retry ID... [--url URL] [--json]',
    'tx retry --sender|--state|--to|--from|--parent VALUE [--yes]',
  ];
  static override flags = {
    ...routerFlags,
    ...filterFlags,
    yes: Flags.boolean({ char: 'y', description: 'Do it to all that the filter finds.' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(TxRetry);
    const { runChange } = await import('../../lib/tools/tx/change.ts');
    const { yes, json } = flags;
    const ids = argv.map(String);
    const ask = { ...routerAsk(flags), verb: 'retry', ids, filter: filterAsk(flags), yes, json } as const;
    const exitCode = await runChange(ask);
    if (exitCode !== 0) this.exit(exitCode);
  }
}
