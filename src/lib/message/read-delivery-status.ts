/**
 * Reads the part of a delivery status notification that programs read (RFC 3464 §2), ours or anybody's. Tolerant: what is missing or makes no
 * sense is left out; only a report about nobody is none.
 */
import type { TypedAddress } from '../core/dsn-request.ts';
import { limits } from '../core/limits.ts';
import { type HeaderField, headerValue, parseHeaders } from './headers.ts';

export interface DeliveryStatus {
  readonly envelopeId?: string;
  readonly reportingMta?: string;
  readonly arrivalAt?: number;
  /** At least one. */
  readonly recipients: readonly RecipientStatus[];
}

export interface RecipientStatus {
  readonly finalRecipient: TypedAddress;
  readonly originalRecipient?: TypedAddress;
  /** In lower case: `failed`, `delayed`, `delivered`, `relayed`, `expanded`. */
  readonly action: string;
  /** RFC 3463: `5.1.1`. */
  readonly status?: string;
  readonly remoteMta?: string;
  /** Without its type. */
  readonly diagnostic?: string;
  readonly lastAttemptAt?: number;
  readonly retryUntil?: number;
}

/** `content` is that of message/delivery-status or message/global-delivery-status, decoded. */
export function readDeliveryStatus(content: Buffer): DeliveryStatus | undefined {
  const text = content.subarray(0, limits.dsnStatusBytes).toString('latin1');
  const groups = text.split(/(?:\r?\n){2,}/).map((group) => parseHeaders(Buffer.from(group, 'latin1')));
  const [first = [], ...rest] = groups.filter((group) => group.length > 0);
  const recipients = rest.flatMap((group) => readRecipient(group) ?? []);
  if (recipients.length === 0) return undefined;
  return {
    ...given('envelopeId', headerValue(first, 'original-envelope-id')),
    ...given('reportingMta', typed(first, 'reporting-mta')?.value),
    ...given('arrivalAt', instant(first, 'arrival-date')),
    recipients,
  };
}

function readRecipient(group: readonly HeaderField[]): RecipientStatus | undefined {
  const finalRecipient = address(group, 'final-recipient');
  const action = headerValue(group, 'action')?.toLowerCase();
  if (finalRecipient === undefined || action === undefined) return undefined;
  return {
    finalRecipient,
    ...given('originalRecipient', address(group, 'original-recipient')),
    action,
    ...given('status', /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(headerValue(group, 'status') ?? '')?.[0]),
    ...given('remoteMta', typed(group, 'remote-mta')?.value),
    ...given('diagnostic', typed(group, 'diagnostic-code')?.value),
    ...given('lastAttemptAt', instant(group, 'last-attempt-date')),
    ...given('retryUntil', instant(group, 'will-retry-until')),
  };
}

/** `type; value` (RFC 3464 §2.1.2). */
function typed(group: readonly HeaderField[], name: string): { type: string; value: string } | undefined {
  const match = /^\s*([A-Za-z0-9-]+)\s*;(.*)$/s.exec(headerValue(group, name) ?? '');
  return match === null ? undefined : { type: (match[1] ?? '').toLowerCase(), value: (match[2] ?? '').trim() };
}

function address(group: readonly HeaderField[], name: string): TypedAddress | undefined {
  const found = typed(group, name);
  return found === undefined || found.value === '' ? undefined : { type: found.type, address: found.value };
}

function instant(group: readonly HeaderField[], name: string): number | undefined {
  const at = Date.parse(headerValue(group, name) ?? '');
  return Number.isNaN(at) ? undefined : at;
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [key in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [key in K]?: V };
}
