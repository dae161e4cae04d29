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
  switch (event.type) {
    case 'mail':
    case 'rcpt':
    case 'body':
      return reduceAsk(state, event);
    case 'cancel':
      return state.final === undefined ? { ...state, cancelled: true } : state;
    case 'attempt':
      if (state.final !== undefined) illegal(event, 'the transaction is final');
      return { ...state, attemptCount: state.attemptCount + 1, replies: NO_REPLIES };
    case 'mailReply':
    case 'rcptReply':
    case 'dataReply':
      return { ...state, replies: reduceReply(state, event) };
    case 'signal':
      return { ...state, filterOutput: { ...state.filterOutput, [event.filter]: event.value } };
    case 'adopt':
      if (state.final !== undefined) illegal(event, 'the transaction is final');
      return {
        ...state,
        retry: state.retry || event.retry,
        notification: state.notification || event.notification,
      };
    case 'finish':
      if (state.final !== undefined) illegal(event, 'the transaction is final');
      return { ...state, final: event.final };
    case 'touch':
      return state;
  }
}

type Ask = Extract<TxEvent, { type: 'mail' | 'rcpt' | 'body' }>;

function reduceAsk(state: TxState, event: Ask): TxState {
  if (state.final !== undefined) illegal(event, 'the transaction is final');
  if (state.cancelled) illegal(event, 'the transaction is cancelled');
  switch (event.type) {
    case 'mail':
      if (state.mailFrom !== undefined) illegal(event, 'mail_from is already set');
      return { ...state, mailFrom: event.from };
    case 'rcpt':
      if (state.mailFrom === undefined) illegal(event, 'mail_from comes first');
      if (state.body !== undefined) illegal(event, 'the body is already complete');
      return { ...state, rcptTo: [...state.rcptTo, event.to] };
    case 'body':
      if (state.body !== undefined) illegal(event, 'the body is already complete');
      return { ...state, body: event.body };
  }
}

type Answer = Extract<TxEvent, { type: 'mailReply' | 'rcptReply' | 'dataReply' }>;

function reduceReply(state: TxState, event: Answer): Replies {
  const { replies } = state;
  switch (event.type) {
    case 'mailReply':
      if (state.mailFrom === undefined) illegal(event, 'nothing was asked');
      if (replies.mail !== undefined) illegal(event, 'already answered');
      return { ...replies, mail: event.response };
    case 'rcptReply': {
      if (state.rcptTo[event.index] === undefined) illegal(event, 'no such recipient');
      if (replies.rcpt[event.index] !== undefined) illegal(event, 'already answered');
      const rcpt = state.rcptTo.map((_, i) => (i === event.index ? event.response : replies.rcpt[i]));
      return { ...replies, rcpt };
    }
    case 'dataReply':
      if (state.body === undefined) illegal(event, 'no body was asked');
      if (replies.data !== undefined) illegal(event, 'already answered');
      return { ...replies, data: event.response };
  }
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
