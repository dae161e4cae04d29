/** The route option `receive_parsing`: the receiver wants the message taken apart (protocol §7.2, message_parser). */
import { z } from 'zod';
import type { ConfigMistake } from '../../config/source.ts';
import { limits } from '../../core/limits.ts';

const DEFAULT_INLINE_BYTES = 65_536;

const schema = z
  .strictObject({
    max_inline: z.int().min(0).max(limits.parsedInlineBytes).nullish(),
  })
  .nullable();

/** `undefined` when the route does not ask for it. The shape was checked when the configuration was loaded. */
export function receiveParsingOf(
  options: Readonly<Record<string, unknown>> | undefined,
): { readonly maxInlineBytes: number } | undefined {
  if (options === undefined || !Object.hasOwn(options, 'receive_parsing')) return undefined;
  const parsed = schema.safeParse(options.receive_parsing);
  return { maxInlineBytes: (parsed.success ? parsed.data?.max_inline : undefined) ?? DEFAULT_INLINE_BYTES };
}

/** What is wrong with the option; its path begins at the option. */
export function receiveParsingMistake(value: unknown): ConfigMistake | undefined {
  if (schema.safeParse(value).success) return undefined;
  const hasBadBound = typeof value === 'object' && value !== null && Object.hasOwn(value, 'max_inline');
  return {
    path: hasBadBound ? ['max_inline'] : [],
    message: hasBadBound
      ? `'max_inline' is a whole number of bytes from 0 to ${limits.parsedInlineBytes}`
      : `'receive_parsing' is empty, or {max_inline: BYTES}`,
  };
}
