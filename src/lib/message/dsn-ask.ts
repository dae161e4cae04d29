/** What a delivery status notification is about: one message, one recipient, one reply. */
import type { Response } from '../core/response.ts';

export type DsnAction = 'failed' | 'delayed' | 'delivered';

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
    /** When we took the message. */
    readonly arrivalAt: number;
    /** Its header, up to and without the blank line; empty when unknown. */
    readonly headerBlock: Buffer;
    /** ENVID of MAIL (RFC 3461 §4.4). */
    readonly envelopeId?: string;
  };
  /** The reply that decided. */
  readonly response: Response;
  readonly lastAttemptAt: number;
  /** Who gave that reply, when it was not us. */
  readonly remoteMta?: string;
  /** For `delayed`: until when it will be tried. */
  readonly retryUntil?: number;
}
