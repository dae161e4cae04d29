/** How a plugin describes an output: where a chain ends and a message leaves it. */
import type { z } from 'zod';
import type { TxContext } from '../chain/filter.ts';
import type { Exchange } from '../core/exchange.ts';
import type { PluginEnv } from './plugin-env.ts';

export interface PluginOutput<C = unknown> {
  /** What `filter:` says at the end of a chain. */
  readonly name: string;
  /** One sentence for `koukan filters`. */
  readonly summary: string;
  /** The options beside `filter:`, made with `z` of this package; none by default. */
  readonly config?: z.ZodType<C>;
  /** Called once for each chain that ends in it; its result once for each transaction, which has one complete envelope. */
  readonly create: (config: C, env: PluginEnv) => (tx: TxContext) => Exchange;
}

/**
 * Gives an output its types. What it answers to `data` decides: 2xx means that the message is safe where it went, and nobody will send it
 * again; 4xx that it is to be tried again. Calls may come before earlier ones are answered. `close` ends whatever is unfinished.
 *
 * ```js
 * defineOutput({
 *   name: 'print',
 *   summary: 'Prints the size of each message.',
 *   create: () => () => ({
 *     mail: async () => reply(250, '2.1.0', 'ok'),
 *     rcpt: async () => reply(250, '2.1.5', 'ok'),
 *     data: async (body) => reply(250, '2.0.0', `${body.size} bytes`),
 *     close: async () => undefined,
 *   }),
 * });
 * ```
 */
export function defineOutput<C = Readonly<Record<string, never>>>(definition: PluginOutput<C>): PluginOutput {
  return definition as unknown as PluginOutput;
}
