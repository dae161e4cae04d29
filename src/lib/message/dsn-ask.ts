/** What a delivery status notification is about: one message, one recipient, one reply. */
import type { TypedAddress } from '../core/dsn-request.ts';
import type { Response } from '../core/response.ts';

/** RFC 3464 §2.3.3. `relayed`: passed on to a server that does not report deliveries; `expanded`: passed on to several addresses. */
export type DsnAction = 'failed' | 'delayed' | 'delivered' | 'relayed' | 'expanded';

export interface DsnAsk {
  readonly action: DsnAction;
  /** The host name we report under. */
  readonly reportingDomain: string;
  /** Address of the mailer daemon. */
  readonly from: string;
  /** The reverse-path of the original message; never the null one. */
  readonly to: string;
  readonly original: {
    readonly rcpt: string;
    /** ORCPT of RCPT, decoded (RFC 3461 §4.2): the address as the sender wrote it. */
    readonly originalRecipient?: TypedAddress;
    /** When we took the message. */
    readonly arrivalAt: number;
    /** Its header, up to and without the blank line; empty when unknown. */
    readonly headerBlock: Buffer;
    /** All of it, header included, when all of it is to come back. */
    readonly message?: Buffer;
    /** ENVID of MAIL, decoded (RFC 3461 §4.4). */
    readonly envelopeId?: string;
  };
  /** The reply that decided. */
  readonly response: Response;
  readonly lastAttemptAt: number;
  /** Who gave that reply, when it was not us: a host name, or an address in brackets. */
  readonly remoteMta?: string;
  /** For `delayed`: until when it will be tried. */
  readonly retryUntil?: number;
  /** For `delayed`: it may have been delivered, and is not tried again unless somebody says so. */
  readonly isUncertain?: true;
}

/** RFC 6533: with addresses that are not ASCII, a report is of the internationalised kind. */
export function isInternational({ to, original }: DsnAsk): boolean {
  const { rcpt, originalRecipient } = original;
  return [to, rcpt, originalRecipient?.address ?? ''].some((address) => !isAscii(address));
}

export function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}
