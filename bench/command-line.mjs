/**
 * The command line of a tool for those who work on Koukan (`npm run bench`, `npm run crash`): options that begin with `--`, and for each mistake a
 * sentence with the nearest valid name and where to read on.
 */
import { parseArgs } from 'node:util';

export const EXIT_USAGE = 64;

/** What a user can mend. */
export class UsageError extends Error {}

// As the product says it. Before anything is built there is nothing to be measured either, and nobody to ask for names.
const { nearestName } = await import('../dist/lib/core/nearest-name.js').catch(() => ({
  nearestName: () => undefined,
}));

/** ` (did you mean …?)`, or nothing. `show` says how the name is typed. */
export function meant(name, candidates, show = (candidate) => candidate) {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? '' : ` (did you mean ${show(nearest)}?)`;
}

/** The value of each option, by its name; what was not given is its default, or undefined. `options` are those of `parseArgs`. Throws a `UsageError`. */
export function readFlags(args, options) {
  const { values, tokens } = parseArgs({ args, options, strict: false, tokens: true });
  for (const token of tokens) mustBeKnown(token, options);
  return values;
}

function mustBeKnown({ kind, name, rawName, value, inlineValue }, options) {
  if (kind === 'option-terminator') return;
  if (kind === 'positional') throw new UsageError(`nobody asked for ${JSON.stringify(value)}: options begin with --`);
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (option === undefined) {
    throw new UsageError(`there is no ${rawName}${meant(name, Object.keys(options), (nearest) => `--${nearest}`)}`);
  }
  if (option.type === 'boolean') {
    if (value !== undefined) throw new UsageError(`${rawName} takes no value`);
    return;
  }
  if (value === undefined) throw new UsageError(`${rawName} needs a value`);
  // Rather the next option, and this one's value was forgotten.
  if (!inlineValue && value.startsWith('--')) throw new UsageError(`${rawName} needs a value (or ${rawName}=${value})`);
}

/** The value as a whole number; undefined when it was not given and has no default. */
export function whole(values, name, min, max) {
  const given = values[name];
  if (given === undefined) return undefined;
  const number = Number(given);
  if (given.trim() !== '' && Number.isInteger(number) && number >= min && number <= max) return number;
  throw new UsageError(`--${name} must be a whole number from ${min} to ${max}, not ${shown(given)}`);
}

/** The value, which must be one of these. */
export function oneOf(values, name, choices) {
  const given = values[name];
  if (choices.includes(given)) return given;
  const all = `${choices.slice(0, -1).join(', ')} or ${choices.at(-1)}`;
  throw new UsageError(`--${name} must be ${all}, not ${shown(given)}${meant(given, choices)}`);
}

const shown = (given) => (given === '' ? 'nothing' : given);

/**
 * Runs `main` and says what stopped it on standard error: what a user can mend in a sentence, with where to read on, as `tool: …`; `isExpected` says
 * of what else no stack is wanted. Sets the exit code.
 */
export async function runTool(tool, main, isExpected = () => false) {
  try {
    await main();
  } catch (error) {
    const isUsage = error instanceof UsageError;
    const hint = isUsage ? `\n${tool.command} -- --help says what there is.` : '';
    const text = isUsage || isExpected(error) ? `${tool.name}: ${error.message}${hint}` : error.stack;
    process.stderr.write(`${text}\n`);
    process.exitCode = isUsage ? EXIT_USAGE : (error.exitCode ?? 1);
  }
}
