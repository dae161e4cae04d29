/**
 * What has been asked and answered about one message, and the one reducer that knows which steps are legal.
 *
 *   asks (downstream):    mail → rcpt… → body → (cancel at any time)
 *   replies (upstream):   mailReply → rcptReply[i]… → dataReply, each at most once per attempt
 *   life:                 attemptStarted → … → finished(reason) | deferred
 *
 * The state is immutable; the wire's JSON and the store's row are other types with mappers of their own.
 */
import type { Body } from './body.ts';
import type { Mailbox } from './mailbox.ts';
import type { Response } from './response.ts';
import { isOk } from './response.ts';

export interface Replies {
  readonly mail?: Response | undefined;
  /** Index-aligned with `rcptTo`; replies may arrive out of order, so an element can be missing. */
  readonly rcpt: readonly (Response | undefined)[];
  readonly data?: Response | undefined;
}

export const NO_REPLIES: Replies = { mail: undefined, rcpt: [], data: undefined };

/** Why a transaction will not be tried again; `text` is for people (wire: `final_attempt_reason`), control flow reads `outcome`. */
export interface Final {
  readonly outcome: 'delivered' | 'failed' | 'cancelled' | 'abandoned';
  readonly text: string;
}

/** Signals a filter published, keyed by the filter's wire name; values are JSON (wire: `filter_output`). */
export type FilterOutput = Readonly<Record<string, unknown>>;

/** Every key is always there, in this order: each step makes a new state, and an engine is quick with objects of one shape only. */
export interface TxState {
  readonly mailFrom: Mailbox | undefined;
  readonly rcptTo: readonly Mailbox[];
  /** Recipients may follow until the message is complete, as in an SMTP session; otherwise those that came with MAIL are all. */
  readonly incremental: boolean;
  /** Present once the message is complete. */
  readonly body: Body | undefined;
  readonly replies: Replies;
  /** Number of the newest attempt; 0 before the first. */
  readonly attemptCount: number;
  /** Retry and bounce are our duty (wire: presence of `retry`, `notification`). */
  readonly retry: boolean;
  readonly notification: boolean;
  readonly cancelled: boolean;
  readonly filterOutput: FilterOutput;
  readonly final: Final | undefined;
}

export const NEW_TX: TxState = {
  mailFrom: undefined,
  rcptTo: [],
  incremental: false,
  body: undefined,
  replies: NO_REPLIES,
  attemptCount: 0,
  retry: false,
  notification: false,
  cancelled: false,
  filterOutput: {},
  final: undefined,
};

export type TxEvent =
  | { readonly type: 'mail'; readonly from: Mailbox }
  | { readonly type: 'rcpt'; readonly to: Mailbox }
  | { readonly type: 'body'; readonly body: Body }
  | { readonly type: 'cancel' }
  | { readonly type: 'attempt' }
  | { readonly type: 'mailReply'; readonly response: Response }
  | { readonly type: 'rcptReply'; readonly index: number; readonly response: Response }
  | { readonly type: 'dataReply'; readonly response: Response }
  | { readonly type: 'signal'; readonly filter: string; readonly value: unknown }
  | { readonly type: 'adopt'; readonly retry: boolean; readonly notification: boolean }
  | { readonly type: 'finish'; readonly final: Final }
  /** Something happened that a waiting client may want to look at, though no field changed (heartbeat, upload progress). */
  | { readonly type: 'touch' };

/** An event that is not legal in this state: a client's mistake at the edges (a 4xx there), a bug anywhere else. */
export class IllegalStepError extends Error {
  override readonly name = 'IllegalStepError';
}

function illegal(event: TxEvent, why: string): never {
  throw new IllegalStepError(`${event.type}: ${why}`);
}

/** The only place that decides whether a step is legal. Replies are write-once within an attempt; asks only grow. */
export function reduce(state: TxState, event: TxEvent): TxState {
  // Nothing to see, but a new version.
  if (event.type === 'touch') return state;
  if (event.type === 'cancel' && state.final !== undefined) return state;
  const next = copyOf(state);
  switch (event.type) {
    case 'mail':
    case 'rcpt':
    case 'body':
      takeAsk(next, event);
      break;
    case 'mailReply':
    case 'rcptReply':
    case 'dataReply':
      next.replies = reduceReply(state, event);
      break;
    case 'cancel':
      next.cancelled = true;
      break;
    case 'signal':
      next.filterOutput = { ...state.filterOutput, [event.filter]: event.value };
      break;
    default:
      takeTurn(next, event);
  }
  return next;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Written out, and changed by assignment: a spread that replaces a key takes an engine longer than all of this. */
function copyOf(state: TxState): Mutable<TxState> {
  return {
    mailFrom: state.mailFrom,
    rcptTo: state.rcptTo,
    incremental: state.incremental,
    body: state.body,
    replies: state.replies,
    attemptCount: state.attemptCount,
    retry: state.retry,
    notification: state.notification,
    cancelled: state.cancelled,
    filterOutput: state.filterOutput,
    final: state.final,
  };
}

/** The same state with other bytes: nobody can see the difference from outside. */
export function withBody(state: TxState, body: Body): TxState {
  const next = copyOf(state);
  next.body = body;
  return next;
}

type Ask = Extract<TxEvent, { type: 'mail' | 'rcpt' | 'body' }>;

function takeAsk(next: Mutable<TxState>, event: Ask): void {
  if (next.final !== undefined) illegal(event, 'the transaction is final');
  if (next.cancelled) illegal(event, 'the transaction is cancelled');
  switch (event.type) {
    case 'mail':
      if (next.mailFrom !== undefined) illegal(event, 'mail_from is already set');
      next.mailFrom = event.from;
      return;
    case 'rcpt':
      if (next.mailFrom === undefined) illegal(event, 'mail_from comes first');
      if (next.body !== undefined) illegal(event, 'the body is already complete');
      next.rcptTo = [...next.rcptTo, event.to];
      return;
    case 'body':
      if (next.body !== undefined) illegal(event, 'the body is already complete');
      next.body = event.body;
  }
}

type Turn = Extract<TxEvent, { type: 'attempt' | 'adopt' | 'finish' }>;

function takeTurn(next: Mutable<TxState>, event: Turn): void {
  if (next.final !== undefined) illegal(event, 'the transaction is final');
  switch (event.type) {
    case 'attempt':
      next.attemptCount += 1;
      next.replies = NO_REPLIES;
      return;
    case 'adopt':
      next.retry ||= event.retry;
      next.notification ||= event.notification;
      return;
    case 'finish':
      next.final = event.final;
  }
}

type Answer = Extract<TxEvent, { type: 'mailReply' | 'rcptReply' | 'dataReply' }>;

function reduceReply(state: TxState, event: Answer): Replies {
  const { replies } = state;
  switch (event.type) {
    case 'mailReply':
      if (state.mailFrom === undefined) illegal(event, 'nothing was asked');
      if (replies.mail !== undefined) illegal(event, 'already answered');
      return { mail: event.response, rcpt: replies.rcpt, data: replies.data };
    case 'rcptReply': {
      if (state.rcptTo[event.index] === undefined) illegal(event, 'no such recipient');
      if (replies.rcpt[event.index] !== undefined) illegal(event, 'already answered');
      return { mail: replies.mail, rcpt: withReply(state, event.index, event.response), data: replies.data };
    }
    case 'dataReply':
      if (state.body === undefined) illegal(event, 'no body was asked');
      if (replies.data !== undefined) illegal(event, 'already answered');
      return { mail: replies.mail, rcpt: replies.rcpt, data: event.response };
  }
}

/** One reply more, index-aligned with the recipients there are. */
function withReply({ rcptTo, replies }: TxState, index: number, response: Response): Replies['rcpt'] {
  if (rcptTo.length === 1) return [response];
  return rcptTo.map((_, i) => (i === index ? response : replies.rcpt[i]));
}

/** Replies of the attempt as the wire shows them: recipients in order, up to the first that is still unanswered. */
export function answeredRcpts(replies: Replies): readonly Response[] {
  const end = replies.rcpt.indexOf(undefined);
  return (end === -1 ? replies.rcpt : replies.rcpt.slice(0, end)) as readonly Response[];
}

/**
 * The reply that decides an attempt: a failed MAIL; the first failed RCPT once all failed and no more can come; else DATA's.
 * `undefined` while the attempt is still open.
 */
export function decisive(state: TxState): Response | undefined {
  const { replies, rcptTo, body, incremental } = state;
  if (replies.mail !== undefined && !isOk(replies.mail)) return replies.mail;
  if (replies.data !== undefined) return replies.data;
  if (rcptTo.length === 0 || (incremental && body === undefined)) return undefined;
  for (let i = 0; i < rcptTo.length; i += 1) {
    const answer = replies.rcpt[i];
    if (answer === undefined || isOk(answer)) return undefined;
  }
  return replies.rcpt[0];
}
