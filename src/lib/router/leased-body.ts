/**
 * A stored message on its way out whose last piece leaves only under a certain lease. It can take long until a message is sent: a large one by
 * itself, a small one because a filter or the far end takes its time before it. A router may be taken over meanwhile; as long as the end is
 * missing the far end has nothing, and who took over sends it instead. So this body is never in memory, however small: who sends it has to
 * ask for it, and is given the end of it only then.
 */
import { type Body, bodyBytes } from '../core/body.ts';
import { LeaseLostError } from '../core/errors.ts';

/** `onDoubt` hears that the last piece is kept back; the reader gets a `LeaseLostError`. */
export function leasedBody(body: Body, isLeaseCertain: () => Promise<boolean>, onDoubt: () => void): Body {
  async function mustBeCertain(): Promise<void> {
    if (await isLeaseCertain()) return;
    onDoubt();
    throw new LeaseLostError('the end of the message is kept back: another replica may have taken it over');
  }
  async function* underLease(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let held: Buffer | undefined;
    for await (const chunk of chunks) {
      if (held !== undefined) yield held;
      held = chunk;
    }
    if (held === undefined) return;
    await mustBeCertain();
    yield held;
  }
  const { chunksFrom, inMemory, whole } = body;
  const isSmall = inMemory !== undefined || whole !== undefined;
  return {
    size: body.size,
    hasOnlyCrlf: body.hasOnlyCrlf ?? false,
    retain: () => body.retain(),
    chunks: () => underLease(body.chunks()),
    ...(chunksFrom !== undefined && { chunksFrom: (offset) => underLease(chunksFrom.call(body, offset)) }),
    ...(isSmall && { whole: () => mustBeCertain().then(() => bodyBytes(body)) }),
  };
}
