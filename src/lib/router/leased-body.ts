/**
 * A stored message on its way out whose last piece leaves only under a certain lease. It can take long until a message is sent: a large one by
 * itself, a small one because a filter or the far end takes its time before it. A router may be taken over meanwhile; as long as the end is
 * missing the far end has nothing, and who took over sends it instead. So this body is never in memory, however small: who sends it has to
 * ask for it, and is given the end of it only then.
 */
import { type Body, type Loan, smallBytes } from '../core/body.ts';
import { LeaseLostError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

/** Who knows whether the end of a message may go out. */
export interface Lease {
  /** Asked when all but the end is on its way. */
  mayEnd(): boolean | Promise<boolean>;
  /** The end was kept back; whoever reads the message gets a `LeaseLostError`. */
  keptBack(): void;
}

export function leasedBody(body: Body, lease: Lease): Body {
  // Whether it is in memory is not asked of a body that can lend: it would take that for a reader.
  const isAtHand = body.lend !== undefined || body.inMemory !== undefined;
  const isSmall = (isAtHand && body.size <= limits.bodyCopiedBytes) || body.whole !== undefined;
  return isSmall ? new SmallLeasedBody(body, lease) : new LeasedBody(body, lease);
}

class LeasedBody implements Body {
  readonly size: number;
  readonly hasOnlyCrlf: boolean;
  readonly chunksFrom?: (offset: number) => AsyncIterable<Buffer>;
  protected readonly body: Body;
  protected readonly lease: Lease;

  constructor(body: Body, lease: Lease) {
    this.size = body.size;
    this.hasOnlyCrlf = body.hasOnlyCrlf ?? false;
    this.body = body;
    this.lease = lease;
    const { chunksFrom } = body;
    if (chunksFrom !== undefined) this.chunksFrom = (offset) => this.#underLease(chunksFrom.call(body, offset));
  }

  lend(): Loan | undefined {
    const loan = this.body.lend?.();
    return loan && { ...loan, mayEnd: () => this.#mayEnd() };
  }

  #mayEnd(): Promise<void> | undefined {
    const mayEnd = this.lease.mayEnd();
    if (mayEnd instanceof Promise) return mayEnd.then((isOurs) => this.checked(isOurs));
    this.checked(mayEnd);
    return undefined;
  }

  retain(): () => void {
    return this.body.retain();
  }

  chunks(): AsyncIterable<Buffer> {
    return this.#underLease(this.body.chunks());
  }

  async *#underLease(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let held: Buffer | undefined;
    for await (const chunk of chunks) {
      if (held !== undefined) yield held;
      held = chunk;
    }
    if (held === undefined) return;
    this.checked(await this.lease.mayEnd());
    yield held;
  }

  protected checked(mayEnd: boolean): void {
    if (mayEnd) return;
    this.lease.keptBack();
    throw new LeaseLostError('the end of the message is kept back: another replica may have taken it over');
  }
}

class SmallLeasedBody extends LeasedBody {
  /** At once where the answer is, which is nearly always. */
  whole(): Buffer | Promise<Buffer> {
    const mayEnd = this.lease.mayEnd();
    return mayEnd === true ? smallBytes(this.body) : this.#wholeOnce(mayEnd);
  }

  async #wholeOnce(mayEnd: boolean | Promise<boolean>): Promise<Buffer> {
    this.checked(await mayEnd);
    return smallBytes(this.body);
  }
}
