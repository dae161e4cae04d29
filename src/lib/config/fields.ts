/** The small schemas both configurations are made of: seconds, addresses, URLs. YAML has seconds, the program milliseconds. */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { HostPort } from '../core/envelope.ts';
import { isDomain, parseAddress } from '../core/mailbox.ts';
import { describeValue } from './value-words.ts';

/** A key may be left out or left empty; both mean the default. */
export function orDefault<T>(schema: z.ZodType<T>, value: T) {
  return schema
    .nullish()
    .transform((given) => given ?? value)
    .meta({ fallback: asWritten(schema, value) });
}

/** A key that may be left out, which means the default; left empty it means `null`: without a limit, never. */
export function orNull(schema: z.ZodType<number>, value: number | null) {
  return schema
    .nullable()
    .default(value)
    .meta({ fallback: asWritten(schema, value) });
}

/** For the reference pages: the default as one would write it. */
function asWritten(schema: z.ZodType, value: unknown): unknown {
  return schema.meta()?.form === 'seconds' && typeof value === 'number' ? value / 1000 : value;
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
  .transform((seconds) => Math.round(seconds * 1000))
  .meta({ form: 'seconds' });

/** As `secondsAsMs`, for what cannot be zero. */
export const someSecondsAsMs = z
  .number()
  .positive()
  .max(LONGEST_SECONDS)
  .transform((seconds) => Math.max(1, Math.round(seconds * 1000)))
  .meta({ form: 'seconds' });

export const name = z.string().min(1).max(255);
export const filePath = z.string().min(1).meta({ form: 'file' });
export const count = z.int().min(1).max(1_000_000);
export const sizeBytes = z
  .int()
  .min(1)
  .max(1024 * 1024 * 1024)
  .meta({ form: 'bytes' });

export const emailAddress = z
  .string()
  .refine((text) => (parseAddress(text)?.domain ?? '') !== '', {
    error: (issue) => `expected an address such as mailer-daemon@example.com, not ${describeValue(issue.input)}`,
  })
  .meta({ form: 'mail address' });

/** An IP address, with or without brackets, or a host name; `''` is no host. */
export const host = z
  .string()
  .transform((text) => text.replace(/^\[(.*)\]$/, '$1'))
  .refine((text) => isDomain(text) || isIP(text) !== 0, {
    error: (issue) => `expected a host name or IP address, not ${describeValue(issue.input)}`,
  });

export const port = z.int().min(0).max(65_535);

const LISTEN_FORM = 'expected [host, port], such as [127.0.0.1, 8000]';

/** `[host, port]`; port 0 takes a free one. */
export const listenAddress = z
  .tuple([host, port], {
    error: (issue) => (issue.input === undefined ? undefined : LISTEN_FORM),
  })
  .transform(([at, number]): HostPort => ({ host: at, port: number }))
  .meta({ form: '[host, port]' });

/** An absolute http or https URL. */
export const httpUrl = z
  .string()
  .refine(isHttpUrl, {
    error: (issue) => `expected an absolute URL such as http://localhost:8000, not ${describeValue(issue.input)}`,
  })
  .meta({ form: 'URL' });

/** A URL under which paths are put: without query or fragment, and made to end without a slash. */
export const baseUrl = httpUrl
  .refine((text) => !/[?#]/.test(text), { error: 'a base URL has neither query nor fragment' })
  .transform((text) => text.replace(/\/+$/, ''))
  .meta({ form: 'URL' });

function isHttpUrl(text: string): boolean {
  return /^https?:\/\/[^/\s]+\S*$/i.test(text) && URL.canParse(text);
}

/** A key of the original that changes nothing here: `older-keys.ts` says why when it is used. */
export const ignored = z.unknown().optional().describe('Accepted with a warning; it has no effect.');

/** `pretty` is what others call `text`. */
const logFormat = z.enum(['json', 'text', 'pretty']).transform((format) => (format === 'pretty' ? 'text' : format));

/** `log:` of both programs. */
export const logSection = section({
  level: orDefault(z.enum(['debug', 'info', 'warn', 'error', 'silent']), 'info').describe(
    'What is less important than this is not logged.',
  ),
  format: orDefault(logFormat, 'json').describe('One JSON object a line for programs, or text for people.'),
}).describe('The log, which goes to standard error.');

/** The keys both REST listeners have. */
export const restListenerShape = {
  addr: listenAddress.describe('Where to listen; port 0 takes a free one.'),
  cert: filePath
    .nullish()
    .describe('PEM file with the certificate and its chain; with `key` the listener speaks https.'),
  key: filePath.nullish().describe('PEM file with the private key of `cert`.'),
  session_uri: baseUrl.describe(
    'Base URL of this very process, as clients and other routers reach it: it stands in `Location` and in redirects.',
  ),
  chunk_size: orDefault(sizeBytes, 1024 * 1024).describe('How an upload is cut while it is taken in.'),
} as const;
