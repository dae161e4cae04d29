/**
 * A stored message on its way out whose last piece leaves only under a certain lease. A large message takes long to send, and a router may be
 * taken over meanwhile; as long as the end is missing the far end has nothing, and who took over sends it instead.
 */
import type { Body } from '../core/body.ts';
import { LeaseLostError } from '../core/errors.ts';

/** `onDoubt` hears that the last piece is kept back; the reader gets a `LeaseLostError`. */
export function leasedBody(body: Body, isLeaseCertain: () => Promise<boolean>, onDoubt: () => void): Body {
  // Sent at one go, right after the question whether it may be.
  if (body.inMemory !== undefined) return body;
  async function* underLease(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let held: Buffer | undefined;
    for await (const chunk of chunks) {
      if (held !== undefined) yield held;
      held = chunk;
    }
    if (held === undefined) return;
    if (!(await isLeaseCertain())) {
      onDoubt();
      throw new LeaseLostError('the end of the message is kept back: another replica may have taken it over');
    }
    yield held;
  }
  const { chunksFrom } = body;
  return {
    size: body.size,
    retain: () => body.retain(),
    chunks: () => underLease(body.chunks()),
    ...(chunksFrom !== undefined && { chunksFrom: (offset) => underLease(chunksFrom.call(body, offset)) }),
  };
}
