/** `koukan serve`: both halves in one process. */
import { Args, Command } from '../lib/cli/oclif.ts';
import { stopTimeout } from '../lib/cli/stop-timeout.ts';

/** Runs a router and a gateway in one process until a signal stops it. */
export default class Serve extends Command {
  static override description =
    'Run a router and a gateway in one process: the same configuration files, the hop between them is a call instead of HTTP.';
  static override examples = ['<%= config.bin %> serve config/local-test/router.yaml config/local-test/gateway.yaml'];
  static override args = {
    router: Args.string({ description: 'The router configuration (YAML).', required: true }),
    gateway: Args.string({ description: 'The gateway configuration (YAML).', required: true }),
  };
  static override flags = { 'stop-timeout': stopTimeout };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Serve);
    const { runDaemon } = await import('../lib/daemon/run-daemon.ts');
    await runDaemon({
      routerFile: args.router,
      gatewayFile: args.gateway,
      join: 'call',
      stopTimeoutMs: flags['stop-timeout'] * 1000,
    });
  }
}
