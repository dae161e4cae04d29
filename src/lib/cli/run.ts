/** Runs a command line through oclif and turns what it throws into a message for people and a sysexits code. */
import { fileURLToPath } from 'node:url';
import { exitCodes, UserError } from '../core/errors.ts';
import { normaliseFlagNames } from './flag-names.ts';
import { Errors, flush, run as oclifRun } from './oclif.ts';

export async function run(args: readonly string[], launcherUrl: string): Promise<void> {
  try {
    await oclifRun(normaliseFlagNames(args), fileURLToPath(launcherUrl));
    await flush();
  } catch (error) {
    const { message, exitCode } = describe(error);
    if (message !== '') process.stderr.write(`${message}\n`);
    if (process.env.KOUKAN_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = exitCode;
  }
}

/** oclif's words for wrong usage, without its own hint at --help, and with commands spelled as they are typed. */
function usageText(text: string): string {
  return text
    .replace(/\n?See more help with --help/g, '')
    .replace(/^Parsing (--\S+) \n\tExpected/, '$1: expected')
    .replace(
      /^command (\S+) not found$/,
      (_, id: string) => `there is no command \`koukan ${id.replaceAll(':', ' ')}\``,
    );
}

function describe(error: unknown): { message: string; exitCode: number } {
  if (error instanceof UserError) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof Errors.ExitError) return { message: '', exitCode: error.oclif.exit ?? exitCodes.software };
  // oclif reports wrong flags, arguments and command names as CLIError with exit code 2.
  if (error instanceof Errors.CLIError) {
    return {
      message: `${usageText(error.message)}\nRun the command with --help for its flags and examples.`,
      exitCode: exitCodes.usage,
    };
  }
  const text = error instanceof Error ? error.message : String(error);
  return { message: `internal error: ${text} (set KOUKAN_DEBUG=1 for the stack)`, exitCode: exitCodes.software };
}
