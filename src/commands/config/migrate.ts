/** `koukan config migrate`: a file of an older version in today's words. */
import { constants, copyFile, writeFile } from 'node:fs/promises';
import { Args, Command, Flags } from '../../lib/cli/oclif.ts';

/** Rewrites a configuration of an older version. */
export default class ConfigMigrate extends Command {
  static override description =
    `Rewrite a configuration file of an older version in today's words. Comments and order are kept.

The new text is printed, and what was changed, with its line, on standard error. With --write it replaces the file, which is kept as FILE.orig. The result is checked like \`config check\` does: mistakes that are left are printed, and the exit status is 78.`;
  static override examples = [
    { description: 'Look at it first', command: '<%= config.bin %> config migrate router.yaml > router.new.yaml' },
    {
      description: 'Both files of an installation, in place',
      command:
        '<%= config.bin %> config migrate --write router.yaml && <%= config.bin %> config migrate --write gateway.yaml',
    },
  ];
  static override args = {
    file: Args.string({ description: 'A configuration file (YAML).', required: true }),
  };
  static override flags = {
    write: Flags.boolean({ char: 'w', description: 'Replace the file; the old text is kept as FILE.orig.' }),
    kind: Flags.option({
      description: 'Whose configuration it is; told from its sections by default.',
      options: ['router', 'gateway'] as const,
    })(),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ConfigMigrate);
    await import('../../lib/config/schemas-used-once.ts');
    const [{ migrateConfig }, { configKind }, { readConfigFile }, { UserError, exitCodes }] = await Promise.all([
      import('../../lib/config/migrate/migrate-config.ts'),
      import('../../lib/config/kind.ts'),
      import('../../lib/config/load.ts'),
      import('../../lib/core/errors.ts'),
    ]);
    const old = readConfigFile(args.file);
    const kind = flags.kind ?? configKind(old, args.file);
    const { text, notes } = migrateConfig(old, args.file, kind);
    for (const note of notes) {
      process.stderr.write(`${args.file}${note.line === undefined ? '' : `:${note.line}`}: ${note.text}\n`);
    }
    if (notes.length === 0) process.stderr.write(`${args.file}: nothing to change\n`);
    if (!flags.write) process.stdout.write(text);
    else if (notes.length > 0) {
      await copyFile(args.file, `${args.file}.orig`, constants.COPYFILE_EXCL).catch((error: NodeJS.ErrnoException) => {
        const why = error.code === 'EEXIST' ? 'is there already; move it away first' : (error.code ?? error.message);
        throw new UserError(`${args.file}.orig ${why}`, exitCodes.cantCreate);
      });
      await writeFile(args.file, text);
    }
    await this.#check(text, args.file, kind);
  }

  async #check(text: string, file: string, kind: 'router' | 'gateway'): Promise<void> {
    const { checkText } = await import('../../lib/chain/check-config.ts');
    const { stepsOf } = await import('../../lib/plugins/steps-of.ts');
    const { systemClock } = await import('../../lib/ops/clock.ts');
    const { formatMistake } = await import('../../lib/config/invalid-config.ts');
    const { exitCodes } = await import('../../lib/core/errors.ts');
    const { mistakes } = await checkText(text, file, stepsOf(systemClock), kind);
    if (mistakes.length === 0) return;
    process.stderr.write(
      `What is left to be done in the new text:\n${mistakes.map((each) => `${formatMistake(each)}\n`).join('')}`,
    );
    process.exitCode = exitCodes.config;
  }
}
