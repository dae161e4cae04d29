/**
 * What a router says of the mail it moves: one line when it takes responsibility for a message, one for every attempt, one for every
 * conversation, all with the transaction's id, so that a search for the id tells the story; and the counts of the same. Addresses are said, as
 * every MTA says them, because an operator who is asked about a message knows nothing else of it. Nothing of the message itself is.
 */
import type { Deps } from '../core/deps.ts';
import type { HostPort, Origin } from '../core/envelope.ts';
import { limits } from '../core/limits.ts';
import type { AttemptOutcome, RouterMeter } from '../core/meters.ts';
import { formatResponse, isOk, type Response } from '../core/response.ts';
import { isInDoubt, type RetryDecision } from '../core/retry.ts';
import { decisive, type Final, type TxState } from '../core/transaction.ts';
import type { UncertainPolicy } from '../core/uncertainty.ts';
import type { Store, TxRecord } from '../store/store.ts';
import type { Route, Work } from './work.ts';

export interface JournalOptions {
  readonly deps: Deps;
  readonly store: Pick<Store, 'recordHistory'>;
  readonly meter?: RouterMeter;
}

/** A conversation that has ended. */
export interface ConversationEnd {
  readonly id: string;
  readonly route: Route;
  readonly origin: Origin;
  readonly openedAt: number;
  readonly state: TxState;
}

export class Journal {
  readonly #options: JournalOptions;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  /** It is stored: ours to deliver, or to report. */
  accepted(record: TxRecord, sizeBytes?: number): void {
    const { deps, meter } = this.#options;
    meter?.accepted(record.sender);
    if (deps.log.isQuiet) return;
    const { remoteHost } = record.origin;
    deps.log.info(
      {
        tx: record.id,
        ...(record.parentId !== undefined && { parent: record.parentId }),
        ...principal(record.sender, record.tag),
        ...envelope(
          record.mailFrom?.address,
          record.rcptTo.map(({ address }) => address),
        ),
        ...(remoteHost && { remoteHost: remoteHost.host }),
        ...(sizeBytes !== undefined && { sizeBytes }),
      },
      'accepted',
    );
  }

  /** An attempt ended; `decision` says what it leads to. */
  attempt(work: Work, decision: RetryDecision): void {
    const { deps, meter } = this.#options;
    const { facts, live } = work;
    const { name, tag } = facts.route.sender;
    const reply = decisive(live.state);
    const now = deps.clock.now();
    const durationMs = Math.max(0, now - work.attemptStartedAt);
    const outcome = outcomeOf(decision);
    if (work.isDurable && isLeftInDoubt(work)) this.#doubt(name, 'reply', work.whenUncertain);
    meter?.attempt({ sender: name, outcome, durationMs, ...(reply && { reply }) });
    if (deps.log.isQuiet) return;
    const host = work.hosts.at(-1);
    const sizeBytes = live.state.body?.size;
    deps.log.info(
      {
        tx: facts.id,
        ...(facts.parentId !== undefined && { parent: facts.parentId }),
        ...principal(name, tag),
        attempt: work.attemptNumber,
        ...envelope(
          live.state.mailFrom?.address,
          live.state.rcptTo.map(({ address }) => address),
        ),
        ...(host && { host: hostText(host) }),
        ...(reply && { reply: formatResponse(reply) }),
        outcome,
        ...(decision.kind === 'defer' && { nextAttemptAt: new Date(decision.until).toISOString() }),
        ...(decision.kind === 'finish' && { reason: decision.final.text }),
        ...(sizeBytes !== undefined && { sizeBytes }),
        durationMs,
        delayMs: Math.max(0, now - facts.createdAt),
      },
      'attempt ended',
    );
  }

  /** An earlier attempt had sent the message whole, and was cut off before it could record the answer. */
  cutOff(id: string, route: Route, attempt: number): void {
    const { name, tag, uncertain = 'retry' } = route.sender;
    const fields = { tx: id, ...principal(name, tag), attempt, uncertain };
    this.#options.deps.log.warn(
      fields,
      'an attempt was cut off after the final dot: the message may have been delivered',
    );
  }

  /** The same, once for each such attempt, however often the transaction is claimed before anything becomes of it. */
  cutOffSettled({ sender }: Route): void {
    this.#doubt(sender.name, 'crash', sender.uncertain ?? 'retry');
  }

  #doubt(sender: string, cause: 'crash' | 'reply', policy: UncertainPolicy): void {
    this.#options.meter?.uncertain(sender, cause, policy);
  }

  /** A conversation ended. One in which something was refused leaves a row behind, where somebody can look up why. */
  conversation(end: ConversationEnd): void {
    const { state } = end;
    if (state.mailFrom === undefined) return;
    const reply = decisive(state);
    let refused = 0;
    for (const each of state.replies.rcpt) if (each !== undefined && !isOk(each)) refused += 1;
    if (this.#options.deps.log.isQuiet !== true) this.#sayEnded(end, reply, refused);
    const isRefused = refused > 0 || (reply !== undefined && !isOk(reply));
    if (isRefused && state.final !== undefined) this.#keep(end, state.final);
  }

  #sayEnded(
    { id, route, origin, openedAt, state }: ConversationEnd,
    reply: Response | undefined,
    refused: number,
  ): void {
    const { deps } = this.#options;
    const sizeBytes = state.body?.size;
    deps.log.info(
      {
        tx: id,
        ...principal(route.sender.name, route.sender.tag),
        ...envelope(
          state.mailFrom?.address,
          state.rcptTo.map(({ address }) => address),
        ),
        ...(origin.remoteHost && { remoteHost: origin.remoteHost.host }),
        rcptsRefused: refused,
        ...(reply && { reply: formatResponse(reply) }),
        ...(state.final && { outcome: state.final.outcome, reason: state.final.text }),
        ...(sizeBytes !== undefined && { sizeBytes }),
        durationMs: Math.max(0, deps.clock.now() - openedAt),
      },
      'conversation ended',
    );
  }

  #keep({ id, route, origin, openedAt, state }: ConversationEnd, final: Final): void {
    const { deps, store } = this.#options;
    const now = deps.clock.now();
    const { name, tag } = route.sender;
    const { mailFrom, rcptTo, filterOutput, replies } = state;
    const record: TxRecord = {
      id,
      sender: name,
      ...(tag !== undefined && { tag }),
      origin,
      ...(mailFrom && { mailFrom }),
      rcptTo,
      retry: false,
      notification: false,
      createdAt: openedAt,
      filterOutput,
    };
    const attempts = [{ number: 1, startedAt: openedAt, endedAt: now, replies }];
    store.recordHistory({ record, attempts, next: { kind: 'final', final } }, now);
  }
}

function isLeftInDoubt({ end, live }: Work): boolean {
  if (end === undefined || end.kind === 'shutdown') return decisive(live.state)?.inDoubt === true;
  return isInDoubt(end);
}

function outcomeOf(decision: RetryDecision): AttemptOutcome {
  if (decision.kind === 'finish') return decision.final.outcome;
  return decision.kind === 'defer' ? 'deferred' : 'uncertain';
}

function principal(sender: string, tag: string | undefined): object {
  return { sender, ...(tag !== undefined && { tag }) };
}

/** Of many recipients the first; the others have lines of their own. */
function envelope(mailFrom: string | undefined, rcptTo: readonly string[]): object {
  const [rcpt] = rcptTo;
  return {
    ...(mailFrom !== undefined && { mailFrom: shortened(mailFrom) }),
    ...(rcpt !== undefined && { rcptTo: shortened(rcpt) }),
    ...(rcptTo.length > 1 && { rcpts: rcptTo.length }),
  };
}

function shortened(address: string): string {
  return address.length <= limits.logAddressChars ? address : `${address.slice(0, limits.logAddressChars)}…`;
}

function hostText({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
