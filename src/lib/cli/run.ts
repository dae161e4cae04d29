/** Runs a command line through oclif and turns what it throws into a message for people and a sysexits code. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { exitCodes, type StoreUnavailableError, type UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearest-name.ts';
import { normaliseFlagNames } from './flag-names.ts';
import { Errors, flush, run as oclifRun } from './oclif.ts';

/** `root` is the folder of the package, with the manifest of its commands. */
export async function run(args: readonly string[], root: string): Promise<void> {
  let isDone = false;
  // When nothing is left to wait for: Node would take its heap apart first, which is a tenth of a short command.
  process.once('beforeExit', () => {
    if (!isDone) complainOfEnd();
    process.exit();
  });
  try {
    // Of all commands together oclif knows the long flag only.
    const given = args.length === 1 && args[0] === '-h' ? ['--help'] : normaliseFlagNames(args);
    await oclifRun(given, frameOptions(root));
    isDone = true;
    await flush();
  } catch (error) {
    const { message, exitCode } = describe(error, () => commandNames(root));
    if (message !== '') process.stderr.write(`${message}\n`);
    if (process.env.KOUKAN_DEBUG !== undefined && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = exitCode;
    isDone = true;
  }
}

/** It waits for something that will never come; that it did its work must not be believed. */
function complainOfEnd(): void {
  process.stderr.write('internal error: the command ended before it was done\n');
  process.exitCode = exitCodes.software;
}

/** No command comes from anywhere else; and the frame's own diary, a package of its own, is kept only for who asks for it. */
function frameOptions(root: string): NonNullable<Parameters<typeof oclifRun>[1]> {
  const quiet = { root, userPlugins: false, devPlugins: false };
  return process.env.DEBUG === undefined ? { ...quiet, logger: noDiary } : quiet;
}

const nothing = (): void => undefined;
const noDiary = {
  namespace: 'oclif',
  child: () => noDiary,
  ...{ debug: nothing, info: nothing, trace: nothing, warn: nothing, error: nothing },
};

/** All commands as they are typed, from the list that was written when they were built. */
function commandNames(root: string): readonly string[] {
  const manifest: unknown = JSON.parse(readFileSync(path.join(root, 'oclif.manifest.json'), 'utf8'));
  return Object.keys((manifest as { readonly commands: object }).commands).map((id) => id.replaceAll(':', ' '));
}

/** oclif's words for wrong usage, without its own hint at --help, and with commands spelled as they are typed. */
function usageText(text: string, commands: () => readonly string[]): string {
  return text
    .replace(/\n?See more help with --help/g, '')
    .replace(/^The following errors? occurred:\s*/, '')
    .replace(/^ +/gm, '')
    .replace(/^Missing required flag (\S+)$/gm, '--$1 is required')
    .replace(/^Parsing (--\S+) \n\tExpected/, '$1: expected')
    .replace(/^Expected (--[^\s=]+)=(.*) to be one of: (.+)$/m, (_, flag: string, given: string, valid: string) =>
      [`${flag}: expected one of ${valid} but received: ${given}`, ...meant(given, valid.split(', '))].join(' '),
    )
    .replace(/^command (\S+) not found$/, (_, id: string) => noCommand(id.replaceAll(':', ' '), commands()));
}

function noCommand(typed: string, commands: readonly string[]): string {
  const nearest = nearestName(typed, commands);
  const hint = nearest === undefined ? '' : ` (did you mean \`koukan ${nearest}\`?)`;
  return `there is no command \`koukan ${typed}\`${hint}`;
}

/** What somebody who wrote this will have meant, if that can be told. */
function meant(given: string, valid: readonly string[]): readonly string[] {
  const nearest = nearestName(given, valid);
  return nearest === undefined ? [] : [`(did you mean ${nearest}?)`];
}

/** Of flags that a command has not: those it has that are nearest. */
function unknownFlags(error: Error): readonly string[] {
  if (!isUnknownFlag(error)) return [];
  const valid = Object.keys(error.parse.input.flags).map((name) => `--${name}`);
  return error.flags.flatMap((flag) => meant(flag, valid));
}

interface UnknownFlagError extends Error {
  readonly flags: readonly string[];
  readonly parse: { readonly input: { readonly flags: object } };
}

function isUnknownFlag(error: Error): error is UnknownFlagError {
  return error.message.startsWith('Nonexistent flag') && 'flags' in error && 'parse' in error;
}

function describe(error: unknown, commands: () => readonly string[]): { message: string; exitCode: number } {
  if (isUserError(error)) return { message: error.message, exitCode: error.exitCode };
  if (error instanceof Errors.ExitError) return { message: '', exitCode: error.oclif.exit ?? exitCodes.software };
  // oclif reports wrong flags, arguments and command names as CLIError with exit code 2.
  if (error instanceof Errors.CLIError) {
    const words = [usageText(error.message, commands), ...unknownFlags(error)].join(' ');
    return {
      message: `${words}\nRun the command with --help for its flags and examples.`,
      exitCode: exitCodes.usage,
    };
  }
  // It went away between two steps of a start: a supervisor tries again.
  if (isStoreUnavailable(error)) return { message: error.message, exitCode: exitCodes.unavailable };
  const text = error instanceof Error ? error.message : String(error);
  return { message: `internal error: ${text} (set KOUKAN_DEBUG=1 for the stack)`, exitCode: exitCodes.software };
}

/** By name, as the next: daemons are not in the bundle this is in, and have their own copy of the class. */
function isUserError(error: unknown): error is UserError {
  return error instanceof Error && error.name === 'UserError' && 'exitCode' in error;
}

function isStoreUnavailable(error: unknown): error is StoreUnavailableError {
  return error instanceof Error && error.name === 'StoreUnavailableError';
}
