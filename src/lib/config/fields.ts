/** The small schemas both configurations are made of: seconds, addresses, URLs. YAML has seconds, the program milliseconds. */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { HostPort } from '../core/envelope.ts';
import { isDomain, parseAddress } from '../core/mailbox.ts';
import { describeValue } from './value-words.ts';

/** A key may be left out or left empty; both mean the default. */
export function orDefault<T>(schema: z.ZodType<T>, value: T) {
  return schema.nullish().transform((given) => given ?? value);
}

/** A mapping that may be left out or left empty, though its keys may not be unknown. */
export function section<S extends z.ZodRawShape>(shape: S) {
  return z.preprocess((given) => given ?? {}, z.strictObject(shape));
}

export function listOf<T>(item: z.ZodType<T>) {
  return orDefault<readonly T[]>(z.array(item), []);
}

/** Ten years: longer is a slip of the pen (milliseconds written for seconds). */
const LONGEST_SECONDS = 315_360_000;

/** Seconds in YAML, fractions allowed; milliseconds after parsing. */
export const secondsAsMs = z
  .number()
  .min(0)
  .max(LONGEST_SECONDS)
  .transform((seconds) => Math.round(seconds * 1000));

/** As `secondsAsMs`, for what cannot be zero. */
export const someSecondsAsMs = z
  .number()
  .positive()
  .max(LONGEST_SECONDS)
  .transform((seconds) => Math.max(1, Math.round(seconds * 1000)));

export const name = z.string().min(1).max(255);
export const filePath = z.string().min(1);
export const count = z.int().min(1).max(1_000_000);
export const sizeBytes = z
  .int()
  .min(1)
  .max(1024 * 1024 * 1024);

export const emailAddress = z.string().refine((text) => (parseAddress(text)?.domain ?? '') !== '', {
  error: (issue) => `expected an address such as mailer-daemon@example.com, not ${describeValue(issue.input)}`,
});

/** An IP address, with or without brackets, or a host name; `''` is no host. */
export const host = z
  .string()
  .transform((text) => text.replace(/^\[(.*)\]$/, '$1'))
  .refine((text) => isIP(text) !== 0 || isDomain(text), {
    error: (issue) => `expected a host name or IP address, not ${describeValue(issue.input)}`,
  });

export const port = z.int().min(0).max(65_535);

const LISTEN_FORM = 'expected [host, port], such as [127.0.0.1, 8000]';

/** `[host, port]`; port 0 takes a free one. */
export const listenAddress = z
  .tuple([host, port], {
    error: (issue) => (issue.input === undefined ? undefined : LISTEN_FORM),
  })
  .transform(([at, number]): HostPort => ({ host: at, port: number }));

/** An absolute http or https URL. */
export const httpUrl = z.string().refine(isHttpUrl, {
  error: (issue) => `expected an absolute URL such as http://localhost:8000, not ${describeValue(issue.input)}`,
});

/** A URL under which paths are put: without query or fragment, and made to end without a slash. */
export const baseUrl = httpUrl
  .refine((text) => !/[?#]/.test(text), { error: 'a base URL has neither query nor fragment' })
  .transform((text) => text.replace(/\/+$/, ''));

function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^/\s]+\S*$/i.test(text) && URL.canParse(text);
}

/** `log:` of both programs. */
export const logSection = section({
  level: orDefault(z.enum(['debug', 'info', 'warn', 'error', 'silent']), 'info'),
  format: orDefault(z.enum(['json', 'text']), 'json'),
});

/** The keys both REST listeners have. */
export const restListenerShape = {
  addr: listenAddress,
  cert: filePath.nullish(),
  key: filePath.nullish(),
  session_uri: baseUrl,
  chunk_size: orDefault(sizeBytes, 1024 * 1024),
} as const;
