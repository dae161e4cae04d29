/** `koukan router`: the half that owns all state. */
import { Args, Command } from '../lib/cli/oclif.ts';
import { stopTimeout } from '../lib/cli/stop-timeout.ts';

/** Runs a router until a signal stops it. */
export default class Router extends Command {
  static override description = 'Run a router: REST API, durable store, filter chains, retries and bounces.';
  static override examples = ['<%= config.bin %> router config/local-test/router.yaml'];
  static override args = {
    config: Args.string({ description: 'The router configuration (YAML).', required: true }),
  };
  static override flags = { 'stop-timeout': stopTimeout };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Router);
    const { runDaemon } = await import('../lib/daemon/run-daemon.ts');
    await runDaemon({ routerFile: args.config, join: 'http', stopTimeoutMs: flags['stop-timeout'] * 1000 });
  }
}
