/**
 * Sends a message that lies in memory which is lent. What is small is copied and given back at once; what is not is written as it lies, and given
 * back when the system needs none of it any longer: that can be after the answer, when the server has had enough before the end.
 */
import type { Loan } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { Slabs } from '../../spool/slabs.ts';
import type { Dialogue } from './dialogue.ts';
import { COPIED_BYTES, type DotStuffer } from './dot-stuffer.ts';

/** What copies go out from: of all connections, because each needs it for a moment. */
const copies = new Slabs({ idleBytes: limits.idleCopyBytes });

export class LentMessage {
  readonly #loan: Loan;
  readonly #sizeBytes: number;
  readonly #dialogue: Dialogue;
  readonly #stuffer: DotStuffer;
  /** The first piece that was not written yet. */
  #next = 0;
  /** Writes that are under way, and one for whoever may begin another. */
  #users = 1;

  constructor(loan: Loan, dialogue: Dialogue, stuffer: DotStuffer) {
    this.#loan = loan;
    this.#sizeBytes = loan.pieces.reduce((sum, { length }) => sum + length, 0);
    this.#dialogue = dialogue;
    this.#stuffer = stuffer;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /**
   * Writes what leaves before the end, as long as `isWanted`, and asks whether the end may follow: throws, or rejects, when it may not. Nothing to
   * wait for with messages that leave in one write, nearly always.
   */
  begin(isWanted: () => boolean): Promise<void> | undefined {
    return this.#sizeBytes <= limits.smtpWriteBytes ? this.#loan.mayEnd?.() : this.#beginLarge(isWanted);
  }

  /** Writes the rest, and what ends the message. */
  finish(): void {
    const { pieces } = this.#loan;
    if (this.#sizeBytes <= COPIED_BYTES) {
      this.#finishSmall(pieces);
      return;
    }
    const rest: Buffer[] = [];
    for (const piece of pieces.slice(this.#next)) this.#stuffer.next(piece, rest);
    rest.push(this.#stuffer.end());
    this.#write(rest);
  }

  #finishSmall(pieces: readonly Buffer[]): void {
    let slab: Buffer | undefined;
    const bytes = this.#stuffer.whole(pieces, (sizeBytes) => {
      slab = copies.take(sizeBytes);
      return slab;
    });
    this.#dialogue.writeSoon(bytes, () => slab && copies.give(slab));
  }

  /** Nothing more is written. To be called once, in any case. */
  readonly stop = (): void => {
    this.#users -= 1;
    if (this.#users === 0) this.#loan.giveBack();
  };

  async #beginLarge(isWanted: () => boolean): Promise<void> {
    const { pieces, mayEnd } = this.#loan;
    let ready: Buffer[] = [];
    let readyBytes = 0;
    while (this.#next < pieces.length - 1 && isWanted()) {
      const piece = pieces[this.#next] as Buffer;
      this.#next += 1;
      this.#stuffer.next(piece, ready);
      readyBytes += piece.length;
      if (readyBytes < limits.smtpWriteBytes && this.#next < pieces.length - 1) continue;
      if (!this.#write(ready)) await this.#dialogue.drained();
      ready = [];
      readyBytes = 0;
    }
    // To be asked is taken for being about to send it: an end that nobody wants any more is not in doubt.
    if (isWanted()) await mayEnd?.();
  }

  #write(bytes: readonly Buffer[]): boolean {
    this.#users += 1;
    return this.#dialogue.write(bytes, this.stop);
  }
}
