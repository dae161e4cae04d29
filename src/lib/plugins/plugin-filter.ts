/** How a plugin describes a filter: a step of a chain that passes, rewrites, or answers. */
import type { z } from 'zod';
import type { Filter } from '../chain/filter.ts';
import type { SignalType } from '../core/signal.ts';
import type { PluginEnv } from './plugin-env.ts';

export interface PluginFilter<C = unknown> {
  /** What `filter:` says in a chain: letters, digits, `_`, `-` and `.`. */
  readonly name: string;
  /** One sentence for `koukan filters`. */
  readonly summary: string;
  /** The options beside `filter:`, made with `z` of this package; none by default. Unknown options are always mistakes. */
  readonly config?: z.ZodType<C>;
  /** Facts it sets: matchers that read them must stand behind it, which is checked when the configuration is loaded. */
  readonly produces?: readonly SignalType<never>[];
  /**
   * Called once for each chain that names it; throws `ConfigError` for what is wrong with the options. Its result is called once for each
   * transaction: what must not be shared between transactions belongs in there.
   */
  readonly create: (config: C, env: PluginEnv) => () => Filter;
}

/**
 * Gives a filter its types. A phase that a filter does not have passes by itself.
 *
 * ```js
 * defineFilter({
 *   name: 'no_empty_sender',
 *   summary: 'Refuses the null reverse-path.',
 *   config: z.strictObject({ code: z.int().min(500).max(599).default(550).describe('SMTP code of the refusal.') }),
 *   create: ({ code }) => () => ({
 *     mail: async (tx, from, next) => (from.address === '' ? reply(code, '5.7.1', 'no bounces here') : next(from)),
 *   }),
 * });
 * ```
 */
export function defineFilter<C = Readonly<Record<string, never>>>(definition: PluginFilter<C>): PluginFilter {
  return definition as unknown as PluginFilter;
}
