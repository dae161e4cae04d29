/** The one attempt of a conversation at a router: what its chain is opened for, and what is said of its end. */
import type { ExchangeInit } from '../chain/chain-tx.ts';
import { type DriveEnd, drive } from '../chain/drive.ts';
import type { Conversation } from '../conversation/conversation.ts';
import type { Deps, Log } from '../core/deps.ts';
import type { Origin } from '../core/envelope.ts';
import { must } from '../core/errors.ts';
import { isOk } from '../core/response.ts';
import { afterAttempt, DEFAULT_RETRY } from '../core/retry.ts';
import type { Final, TxState } from '../core/transaction.ts';
import { repliedEnd } from './attempt.ts';
import type { Journal } from './journal.ts';
import type { Route } from './work.ts';

export interface ConversationRunEnv {
  readonly deps: Deps;
  readonly journal: Journal;
}

/** How a conversation ends that no reply has decided. */
const FINALS = {
  cancelled: { outcome: 'cancelled', text: 'downstream cancelled' },
  stopped: { outcome: 'abandoned', text: 'downstream timeout' },
} as const satisfies Record<Exclude<DriveEnd, 'decided'>, Final>;

export class ConversationRun implements ExchangeInit {
  readonly id: string;
  readonly origin: Origin;
  readonly log: Log;
  readonly #route: Route;
  readonly #conversation: Conversation;
  readonly #env: ConversationRunEnv;
  readonly #openedAt: number;

  constructor(route: Route, conversation: Conversation, env: ConversationRunEnv) {
    const { id, origin } = conversation.facts;
    this.id = id;
    this.origin = origin;
    this.log = env.deps.log.child({ tx: id });
    this.#route = route;
    this.#conversation = conversation;
    this.#env = env;
    this.#openedAt = env.deps.clock.now();
  }

  /** Follows what is asked until the conversation is over; throws when its chain cannot even be opened. */
  run(): Promise<void> {
    const { live, stop } = this.#conversation;
    live.apply({ type: 'attempt' });
    const exchange = this.#route.chain.open(this);
    const onBug = (error: unknown): void => this.log.error({ error }, 'a step of the chain failed with a bug');
    return drive(live, exchange, stop, onBug).then((end) => this.#over(end));
  }

  onSignal(filter: string, value: unknown): void {
    this.#conversation.live.apply({ type: 'signal', filter, value });
  }

  rcptReplies(): TxState['replies']['rcpt'] {
    return this.#conversation.live.state.replies.rcpt;
  }

  #over(end: DriveEnd): void {
    const { live } = this.#conversation;
    const { deps, journal } = this.#env;
    const final = end === 'decided' ? onlyAttemptEnded(live.state, deps.clock.now()) : undecidedEnd(end, live.state);
    live.apply({ type: 'finish', final });
    const { id, origin } = this;
    journal.conversation({ id, route: this.#route, origin, openedAt: this.#openedAt, state: live.state });
  }
}

/** Who leaves when all recipients were refused has cancelled nothing: they failed. */
function undecidedEnd(end: keyof typeof FINALS, { rcptTo, replies }: TxState): Final {
  const isRefused = rcptTo.length > 0 && rcptTo.every((_, i) => replies.rcpt[i] && !isOk(replies.rcpt[i]));
  return isRefused ? { ...FINALS[end], outcome: 'failed' } : FINALS[end];
}

/** A conversation has one attempt, and who is to try again is its client. */
function onlyAttemptEnded(state: TxState, now: number): Final {
  const ask = { end: repliedEnd(state), attempt: 1, createdAt: now, retry: false };
  const decision = afterAttempt(ask, DEFAULT_RETRY, now, 0);
  must(decision.kind === 'finish', 'without retry every attempt is the last');
  const hasNone = ask.end.kind === 'replied' && ask.end.phase === 'rcpt' && state.rcptTo.length > 1;
  return hasNone ? { ...decision.final, text: 'exploder/oneshot all rcpts failed' } : decision.final;
}
