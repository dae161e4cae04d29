/** Creates a plugin's part while a configuration is loaded: whatever goes wrong in its code is a mistake with a place, never a crash. */
import { z } from 'zod';
import { ConfigError, type ConfigMistake } from '../config/source.ts';
import { shown } from './checked-answer.ts';
import { inPlugin, type PluginPart, partWords } from './plugin-part.ts';
import { thrownWords } from './thrown-words.ts';

/** The key that names a part in the configuration; mistakes that have no better place point at it. */
export type NamingKey = 'filter' | 'matcher' | 'name';

/** Calls code of the plugin. A `ConfigError` it throws passes; anything else it throws becomes one. */
export function atLoad<T>(part: PluginPart, key: NamingKey, work: () => T): T {
  try {
    return inPlugin(part, work);
  } catch (error) {
    const own = mistakesOf(error);
    if (own !== undefined) throw new ConfigError(own);
    throw new ConfigError([{ path: [], key, message: `${partWords(part)} failed: ${thrownWords(error)}` }]);
  }
}

/** The function that `create` of the part made. */
export function guardedCreate<T>(part: PluginPart, key: NamingKey, create: () => T): T {
  const made: unknown = atLoad(part, key, create);
  if (typeof made === 'function') return made as T;
  // An async create: its failure, if it comes, is told here already.
  if (made instanceof Promise) made.catch(() => undefined);
  const message = `create() of ${partWords(part)} must return a function, not ${shown(made)}`;
  throw new ConfigError([{ path: [], key, message }]);
}

/** By its shape: a plugin may have been tested with another copy of this package. */
function mistakesOf(error: unknown): readonly ConfigMistake[] | undefined {
  if (error instanceof ConfigError) return error.mistakes;
  if (!(error instanceof Error) || error.name !== 'ConfigError' || !('mistakes' in error)) return undefined;
  const { mistakes } = error;
  const isMistake = (each: unknown): each is ConfigMistake =>
    typeof each === 'object' && each !== null && 'message' in each && 'path' in each && Array.isArray(each.path);
  return Array.isArray(mistakes) && mistakes.every(isMistake) ? mistakes : undefined;
}

/**
 * The schema of a part's options. Unknown options are always mistakes, and code of the plugin in it (a refinement, a transformation) that
 * throws is one too.
 */
export function guardedSchema(part: PluginPart, key: NamingKey, given: z.ZodType | undefined): z.ZodType {
  const schema = strict(given ?? z.strictObject({}));
  const safeParse = (
    value: unknown,
    context?: z.core.ParseContext<z.core.$ZodIssue>,
  ): z.ZodSafeParseResult<unknown> => {
    try {
      return inPlugin(part, () => schema.safeParse(value, context));
    } catch (error) {
      const message = `the options of ${partWords(part)} cannot be checked: ${thrownWords(error)}`;
      return { success: false, error: new z.ZodError([{ code: 'custom', path: [key], message, input: value }]) };
    }
  };
  return Object.create(schema, { safeParse: { value: safeParse } }) as z.ZodType;
}

/** `z.object` drops what it does not know; a mistyped option has to be found. */
function strict(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodObject && schema.def.catchall === undefined ? schema.strict() : schema;
}
