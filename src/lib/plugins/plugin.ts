/** A plugin: the filters, matchers, routing policies and outputs that one module adds to what a configuration may name. */
import type { PluginFilter } from './plugin-filter.ts';
import type { PluginMatcher } from './plugin-matcher.ts';
import type { PluginOutput } from './plugin-output.ts';
import type { PluginRoutingPolicy } from './plugin-routing-policy.ts';

export interface Plugin {
  /** Tells plugins apart in logs and error messages. */
  readonly name: string;
  readonly filters?: readonly PluginFilter[];
  readonly matchers?: readonly PluginMatcher[];
  readonly routingPolicies?: readonly PluginRoutingPolicy[];
  readonly outputs?: readonly PluginOutput[];
}

/**
 * The default export of a module that router.yaml names under `modules`.
 *
 * ```js
 * // plugins/example.js, named in router.yaml as `modules: [./plugins/example.js]`
 * import { defineFilter, definePlugin } from 'koukan';
 *
 * export default definePlugin({
 *   name: 'example',
 *   filters: [defineFilter({ name: 'pass', summary: 'Lets everything pass.', create: () => () => ({}) })],
 * });
 * ```
 */
export function definePlugin(plugin: Plugin): Plugin {
  return plugin;
}
