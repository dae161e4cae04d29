/** `koukan dev`: the whole local environment in one command. */
import { Command, Flags } from '../lib/cli/oclif.ts';

/** Runs the whole local environment. */
export default class Dev extends Command {
  static override description =
    'Run router, gateway, a receiving application and an SMTP sink on this machine, on an embedded SQLite file that is removed at the end.';
  static override examples = [
    { description: 'Start everything and watch mail go by; Ctrl-C ends it', command: '<%= config.bin %> dev' },
    {
      description: 'Send one message each of the four ways and verify that it arrives',
      command: '<%= config.bin %> dev --check',
    },
    { description: 'The same with HTTP between router and gateway', command: '<%= config.bin %> dev --check --split' },
  ];
  static override flags = {
    check: Flags.boolean({
      description: 'Send one message each of the four ways, verify each arrival, and exit (0: all arrived).',
    }),
    split: Flags.boolean({ description: 'Join router and gateway by HTTP instead of by a call.' }),
    verbose: Flags.boolean({ char: 'v', description: 'Show the log of router and gateway.' }),
    json: Flags.boolean({ description: 'With --check: one JSON line for each flow.', dependsOn: ['check'] }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Dev);
    const { runDev } = await import('../lib/dev/run-dev.ts');
    process.exitCode = await runDev({
      check: flags.check,
      split: flags.split,
      verbose: flags.verbose,
      json: flags.json,
    });
  }
}
