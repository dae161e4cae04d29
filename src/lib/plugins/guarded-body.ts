/** A body that a plugin made: as long as it says, in buffers. An output that counts on the length would else send half a message. */
import type { Body } from '../core/body.ts';
import { fieldsOf, shown } from './checked-answer.ts';
import { PluginFault } from './plugin-fault.ts';
import { inPlugin, type PluginPart } from './plugin-part.ts';

/** Throws `TypeError` when it is no body. */
export function guardedBody(part: PluginPart, value: unknown): Body {
  const { size, chunks, retain, inMemory } = fieldsOf(value, 'a body {size, chunks, retain}');
  if (!Number.isSafeInteger(size) || Number(size) < 0) {
    throw new TypeError(`expected the size of a body in bytes, not ${shown(size)}`);
  }
  if (typeof chunks !== 'function' || typeof retain !== 'function') {
    throw new TypeError('expected a body with chunks() and retain()');
  }
  const body = value as Body;
  // What lies in memory is what it is: nothing can come short later.
  if (inMemory !== undefined) {
    if (!Buffer.isBuffer(inMemory) || inMemory.length !== size) {
      throw new TypeError(`expected 'inMemory' to be a buffer of ${String(size)} bytes`);
    }
    if (body.hasOnlyCrlf !== true) return body;
  }
  // That somebody has looked at its line ends is not a plugin's to say: it may have copied that from the body it was given.
  return {
    ...('notes' in body ? { notes: body.notes } : {}),
    ...(body.inMemory !== undefined && { inMemory: body.inMemory }),
    size: body.size,
    chunks: () => counted(part, body),
    retain: () => body.retain(),
  };
}

async function* counted(part: PluginPart, body: Body): AsyncGenerator<Buffer> {
  let count = 0;
  try {
    for await (const chunk of inPlugin(part, () => body.chunks())) {
      if (!Buffer.isBuffer(chunk)) throw new TypeError(`a body yields buffers, not ${shown(chunk)}`);
      count += chunk.length;
      if (count > body.size) break;
      yield chunk;
    }
  } catch (error) {
    throw PluginFault.of(part, error);
  }
  if (count !== body.size) throw new PluginFault(part, `passed on a body of ${body.size} bytes that has others`);
}
