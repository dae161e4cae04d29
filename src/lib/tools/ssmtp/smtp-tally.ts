/** Counts what became of many messages, in constant space. */
import { formatResponse } from '../../core/response.ts';
import { worstExitCode } from '../verdict.ts';
import { exitCodeOf, type SmtpResult, verdicts } from './smtp-submit.ts';

/** Different replies that are told apart; a server may put a queue id into each. */
const TEXTS_MAX = 50;

export class SmtpTally {
  readonly #counts = new Map<string, number>();
  readonly #codes = new Set<number>();
  #messages = 0;

  add(result: SmtpResult): void {
    this.#messages += 1;
    for (const verdict of verdicts(result)) {
      this.#codes.add(exitCodeOf(verdict));
      const text = formatResponse(verdict);
      const key = this.#counts.has(text) || this.#counts.size < TEXTS_MAX ? text : `${verdict.code} (other texts)`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    }
  }

  get exitCode(): number {
    return worstExitCode([...this.#codes]);
  }

  summary(elapsedMs: number): string {
    const counts = [...this.#counts].map(([text, count]) => `${count} × ${text}\n`);
    const perSecond = Math.round((this.#messages * 1000) / Math.max(1, elapsedMs));
    return `${counts.join('')}${this.#messages} messages in ${(elapsedMs / 1000).toFixed(2)} s, ${perSecond}/s\n`;
  }
}
