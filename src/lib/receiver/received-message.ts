/** What a receiver's application gets to see: the envelope while the conversation goes on, the stored message at its end. */
import type { HostPort } from '../core/envelope.ts';
import type { Response } from '../core/response.ts';
import type { FilterOutput } from '../core/transaction.ts';

export interface ReceivedEnvelope {
  /** Unique, and safe as a file name. */
  readonly id: string;
  /** The reverse-path; `''` for a bounce. Absent before it was said. */
  readonly mailFrom?: string;
  readonly rcptTo: readonly string[];
  /** The SMTP peer the router got the message from. */
  readonly remoteHost?: HostPort;
  /** What the router's filters found out, by filter. */
  readonly filterOutput: FilterOutput;
}

export interface ReceivedMessage extends ReceivedEnvelope {
  /** Path of the message as it came over SMTP. */
  readonly file: string;
  readonly sizeBytes: number;
  /** The parsed message, when the router sends it (`receive_parsing`). */
  readonly parsed?: unknown;
  /** Path of the same as JSON. */
  readonly parsedFile?: string;
  /** Paths of its parts, by the id that the parsed message calls them. */
  readonly parts: Readonly<Record<string, string>>;
}

/** A step that may be refused. At `data` the message is complete. */
export type ReceiverPhase =
  | { readonly phase: 'mail'; readonly from: string; readonly envelope: ReceivedEnvelope }
  | { readonly phase: 'rcpt'; readonly to: string; readonly envelope: ReceivedEnvelope }
  | { readonly phase: 'data'; readonly message: ReceivedMessage };

/** Answers a step: a 4xx or 5xx refuses it, `undefined` accepts. Mail refused at `data` is not kept. */
export type Decide = (step: ReceiverPhase) => Response | undefined | Promise<Response | undefined>;
