/** `koukan gateway`: the stateless half, between SMTP and REST. */
import { Args, Command } from '../lib/cli/oclif.ts';
import { stopTimeout } from '../lib/cli/stop-timeout.ts';

/** Runs a gateway until a signal stops it. */
export default class Gateway extends Command {
  static override description = 'Run a gateway: SMTP in to REST out, REST in to SMTP out. It keeps no state.';
  static override examples = ['<%= config.bin %> gateway config/local-test/gateway.yaml'];
  static override args = {
    config: Args.string({ description: 'The gateway configuration (YAML).', required: true }),
  };
  static override flags = { 'stop-timeout': stopTimeout };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Gateway);
    const { runDaemon } = await import('../lib/daemon/run-daemon.ts');
    await runDaemon({ gatewayFile: args.config, join: 'http', stopTimeoutMs: flags['stop-timeout'] * 1000 });
  }
}
