/** What `message_validation` found out: how well-formed the message is, and the facts of its header that policies ask for. */
import type { Mailbox } from '../mailbox.ts';
import type { SignalType } from '../signal.ts';

/**
 * From worst to best. NONE: no end of the header was found, or it has lines that are no header. BASIC: it can be told what the header is.
 * MEDIUM: its characters are allowed, and there is one From, one Date and one Message-ID, each as it should be. HIGH: nothing is wrong with
 * any header or part.
 */
export const VALIDITY_LEVELS = ['NONE', 'BASIC', 'MEDIUM', 'HIGH'] as const;

export type Validity = (typeof VALIDITY_LEVELS)[number];

export interface MessageValidation {
  readonly status: Validity;
  /** Hops so far; absent when the header cannot be read. */
  readonly receivedHeaderCount?: number;
  /** The first thing that kept the message from the next level. */
  readonly err?: string;
  /** The addresses of the From fields; absent when none can be read. Stays inside: the message says it itself. */
  readonly headerFrom?: readonly Mailbox[];
}

export const messageValidationSignal: SignalType<MessageValidation> = {
  wireName: 'koukan.message_validation_filter.MessageValidationFilter',
  name: 'message_validation',
  toJson: ({ status, receivedHeaderCount, err }) => ({
    status: VALIDITY_LEVELS.indexOf(status),
    ...(receivedHeaderCount !== undefined && { received_header_count: receivedHeaderCount }),
    ...(err !== undefined && { err }),
  }),
};
