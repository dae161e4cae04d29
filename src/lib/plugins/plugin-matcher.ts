/** How a plugin describes a matcher: a question about one transaction that policies ask. */
import type { z } from 'zod';
import type { Phase } from '../chain/filter.ts';
import type { SignalType } from '../core/signal.ts';
import type { Matcher } from '../matchers/matcher.ts';
import type { PluginEnv } from './plugin-env.ts';

export interface PluginMatcher<C = unknown> {
  /** What `matcher:` says in a policy. */
  readonly name: string;
  /** One sentence for `koukan filters`. */
  readonly summary: string;
  /** The options beside `matcher:`, made with `z` of this package; none by default. */
  readonly config?: z.ZodType<C>;
  /** The phase in which everything it reads exists: a policy is judged in the latest phase of its matchers. */
  readonly reads: Phase | ((config: C) => Phase);
  /** It asks about one recipient, and only policies with `mode: PER_RCPT` may use it. */
  readonly perRcpt?: boolean | ((config: C) => boolean);
  /** Facts that a filter earlier in the chain must produce; a policy that stands before it is refused at load. */
  readonly consumes?: readonly SignalType<never>[];
  /** Called once for each policy that names it; throws `ConfigError` for what is wrong with the options. Its result answers at once. */
  readonly create: (config: C, env: PluginEnv) => Matcher;
}

/**
 * Gives a matcher its types. It answers `match`, `noMatch`, or `unmet` when a fact it needs does not exist; it never decides what follows.
 *
 * ```js
 * defineMatcher({
 *   name: 'many_recipients',
 *   summary: 'The transaction has more recipients than this.',
 *   config: z.strictObject({ than: z.int().min(1) }),
 *   reads: 'data',
 *   create: ({ than }) => (tx) => (tx.rcptTo.length > than ? 'match' : 'noMatch'),
 * });
 * ```
 */
export function defineMatcher<C = Readonly<Record<string, never>>>(definition: PluginMatcher<C>): PluginMatcher {
  return definition as unknown as PluginMatcher;
}
