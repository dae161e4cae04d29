/** `koukan filters`: what chains may be made of. */
import { Args, Command, Flags } from '../lib/cli/oclif.ts';

/** Lists filters, outputs, routing policies and matchers, or says what the options of one are. */
export default class Filters extends Command {
  static override description = `List what chains may be made of: filters, outputs, routing policies and matchers.

With a name: its options, with their types and defaults. With a configuration: also what its plugins bring.`;
  static override examples = [
    '<%= config.bin %> filters',
    '<%= config.bin %> filters policy_action',
    '<%= config.bin %> filters --config router.yaml --json',
  ];
  static override args = {
    name: Args.string({ description: 'The name of one of them.' }),
  };
  static override flags = {
    config: Flags.string({ description: "A router's configuration (YAML), whose plugins are to be listed too." }),
    json: Flags.boolean({ description: 'Print everything as JSON.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Filters);
    const { catalogue } = await import('../lib/tools/catalogue.ts');
    const entries = await catalogue({ configFile: flags.config, name: args.name });
    if (flags.json) {
      this.log(JSON.stringify(entries, undefined, 2));
      return;
    }
    const { detailText, listText } = await import('../lib/tools/catalogue-text.ts');
    this.log(args.name === undefined ? listText(entries) : detailText(entries));
  }
}
