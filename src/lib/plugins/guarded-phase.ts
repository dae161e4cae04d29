/**
 * One phase of a plugin's filter or output, run so that whatever it does ends in an answer: what it throws, what is no reply, and what takes
 * too long is logged with its name and answered 451.
 *
 *   own code ──next(value)──▶ rest of the chain ──reply──▶ own code ──▶ answer
 *      │                                                       │
 *      └── a fault: 451                       a fault: 451; at DATA the reply of the rest of the chain stands
 *
 * At DATA the far end may have taken the message: to answer 451 then would deliver it twice.
 */
import type { Next, Phase, TxContext } from '../chain/filter.ts';
import type { Clock } from '../core/deps.ts';
import { limits } from '../core/limits.ts';
import { cancelledReply } from '../core/precondition.ts';
import type { Response } from '../core/response.ts';
import { checkedResponse } from './checked-answer.ts';
import { PluginFault, pluginFailedReply } from './plugin-fault.ts';
import { inPlugin, outsidePlugins, type PluginPart } from './plugin-part.ts';
import { thrownText } from './thrown-words.ts';

export interface PhaseAsk<T> {
  readonly part: PluginPart;
  readonly phase: Phase;
  readonly clock: Clock;
  /** The transaction itself, not as the plugin sees it. */
  readonly tx: Pick<TxContext, 'signal' | 'log'>;
  /** The rest of the chain. */
  readonly next: Next<T>;
  /** Looks at what the plugin passes on; throws `TypeError`. */
  readonly checked: (value: unknown) => T;
  /** The plugin's own code. */
  readonly run: (next: Next<T>) => Promise<Response>;
}

/** Rejects only with what the rest of the chain rejected with. */
export function guardedPhase<T>(ask: PhaseAsk<T>): Promise<Response> {
  return new GuardedPhase(ask).answer();
}

class GuardedPhase<T> {
  readonly #ask: PhaseAsk<T>;
  /** Aborts when the value has been passed on. */
  readonly #passed = new AbortController();
  /** Aborts when there is an answer. */
  readonly #done = new AbortController();
  #onward: Promise<Response> | undefined;
  /** What the rest of the chain answered. */
  #answered: Response | undefined;
  #failedBeneath: { readonly error: unknown } | undefined;

  constructor(ask: PhaseAsk<T>) {
    this.#ask = ask;
  }

  async answer(): Promise<Response> {
    try {
      return await Promise.race([this.#ownAnswer(), this.#tooLate(), this.#closed()]);
    } catch (error) {
      const { part } = this.#ask;
      const isOwn = error instanceof PluginFault && error.part === part;
      // A bug beneath this filter is not the plugin's, unless it was a body of its making.
      if (this.#failedBeneath?.error === error && !isOwn) throw error;
      return await this.#afterFault(PluginFault.of(part, error));
    } finally {
      this.#done.abort();
      this.#passed.abort();
    }
  }

  async #ownAnswer(): Promise<Response> {
    const { part, run } = this.#ask;
    const answer: unknown = await inPlugin(part, () => run((value) => this.#next(value)));
    // As it came: it says who gave it, and perhaps that it is the mark of a bug.
    if (this.#answered !== undefined && answer === this.#answered) return this.#answered;
    try {
      return this.#attributed(checkedResponse(answer));
    } catch (error) {
      throw new PluginFault(part, `answered nonsense: ${thrownText(error)}`);
    }
  }

  /** The same answer in other words is still the far end's: what became of the duty to report does not change by that. */
  #attributed(answer: Response): Response {
    const { source, code } = this.#answered ?? {};
    return source === undefined || code !== answer.code ? answer : { ...answer, source };
  }

  async #next(value: unknown): Promise<Response> {
    const { part, next, checked } = this.#ask;
    if (this.#onward !== undefined) throw new PluginFault(part, 'called next() twice in one phase');
    if (this.#done.signal.aborted) throw new PluginFault(part, 'called next() after it had answered');
    const sound = checked(value);
    this.#onward = outsidePlugins(() => next(sound)).then(
      (answer) => {
        this.#answered = answer;
        return answer;
      },
      (error: unknown) => {
        this.#failedBeneath = { error };
        throw error;
      },
    );
    this.#passed.abort();
    return this.#onward;
  }

  /** Only the plugin's own time counts: a next hop may take as long as its own limits allow. */
  async #tooLate(): Promise<Response> {
    const { part, clock } = this.#ask;
    const [passed, done] = [this.#passed.signal, this.#done.signal];
    await clock.sleep(limits.pluginPhaseMs, passed);
    if (passed.aborted) {
      await Promise.allSettled([this.#onward]);
      await clock.sleep(limits.pluginPhaseMs, done);
    }
    if (done.aborted) return cancelledReply;
    throw new PluginFault(part, `did not answer within ${limits.pluginPhaseMs / 1000} seconds`);
  }

  /** Nobody waits any more: a plugin that does not listen to `tx.signal` must not hold up the end. */
  #closed(): Promise<Response> {
    const { signal } = this.#ask.tx;
    return new Promise((resolve) => {
      const end = (): void => resolve(cancelledReply);
      if (signal.aborted) end();
      signal.addEventListener('abort', end, { once: true, signal: this.#done.signal });
    });
  }

  async #afterFault(fault: PluginFault): Promise<Response> {
    const { part, phase, tx } = this.#ask;
    const answered = phase === 'data' && this.#failedBeneath === undefined ? this.#onward : undefined;
    const fields = { plugin: part.plugin, [part.kind]: part.name, phase, error: fault };
    tx.log.error(
      fields,
      answered !== undefined ? 'a plugin failed after it had passed the message on' : 'a plugin failed',
    );
    return answered ?? pluginFailedReply;
  }
}
