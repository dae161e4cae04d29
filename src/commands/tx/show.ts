/** Shows everything a router knows of a transaction, except the message. */
import { Args, Command } from '../../lib/cli/oclif.ts';
import { routerAsk, routerFlags } from '../../lib/cli/router-flags.ts';

export default class TxShow extends Command {
  static override description =
    'Show everything a router knows of a transaction, except the message: envelope, client, signals, policies that matched and where they are written, every attempt with the hosts it tried and what they answered, and when and why there will be another one.';
  static override examples = [
    '<%= config.bin %> tx show 4rVzQ0mJ8sXl2bTn6yKcWg',
    '<%= config.bin %> tx show 4rVzQ0mJ8sXl2bTn6yKcWg --json',
  ];
  static override args = {
    id: Args.string({ description: 'The transaction: its id or its URL.', required: true }),
  };
  static override flags = routerFlags;

  async run(): Promise<void> {
    const { args, flags } = await this.parse(TxShow);
    const { runShow } = await import('../../lib/tools/tx/show.ts');
    await runShow({ ...routerAsk(flags), id: args.id, json: flags.json });
  }
}
