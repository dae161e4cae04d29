/** `koukan config check`: every mistake of configuration files, with its place. */

import type { ConfigReport } from '../../lib/chain/check-config.ts';
import { Args, Command, Flags } from '../../lib/cli/oclif.ts';

/** Checks configuration files with the code the daemons start with. */
export default class ConfigCheck extends Command {
  static override description =
    'Check configuration files: every mistake is printed as file:line:col, with the nearest valid name. A router and a gateway given together are also checked against each other. Nothing is started.';
  static override examples = [
    '<%= config.bin %> config check config/local-test/router.yaml config/local-test/gateway.yaml',
    '<%= config.bin %> config check --json router.yaml',
  ];
  static override enableJsonFlag = true;
  static override strict = false;
  static override args = {
    file: Args.string({ description: 'A configuration file (YAML); several may be given.', required: true }),
  };
  static override flags = {
    kind: Flags.option({
      description: 'Whose configuration it is; told from its sections by default.',
      options: ['router', 'gateway'] as const,
    })(),
  };

  async run(): Promise<readonly ConfigReport[]> {
    const { argv, flags } = await this.parse(ConfigCheck);
    await import('../../lib/config/schemas-used-once.ts');
    const { checkConfigs } = await import('../../lib/chain/check-config.ts');
    const { stepsOf } = await import('../../lib/plugins/steps-of.ts');
    const { systemClock } = await import('../../lib/ops/clock.ts');
    const { formatMistake, mistakesExitCode } = await import('../../lib/config/invalid-config.ts');
    const reports = await checkConfigs(argv.map(String), stepsOf(systemClock), flags.kind);
    for (const { file, kind, mistakes, warnings } of reports) {
      for (const line of [...warnings, ...mistakes.map(formatMistake)]) process.stderr.write(`${line}\n`);
      if (mistakes.length === 0) this.log(`${file}: ok (${kind})`);
    }
    const mistakes = reports.flatMap((report) => report.mistakes);
    if (mistakes.length > 0) process.exitCode = mistakesExitCode(mistakes);
    return reports;
  }
}
