/** Looks at a message before it is offered: what a destination cannot take is said before the bytes travel. */
import { isAscii } from 'node:buffer';
import type { Body } from '../core/body.ts';
import { type Response, reply } from '../core/response.ts';
import type { Capabilities } from '../smtp/client/capabilities.ts';
import { sizeRefusal } from './smtp-params.ts';

/** RFC 6152 §3: converting would break signatures. */
const eightBit = reply(554, '5.6.3', 'an 8-bit message, and the destination does not offer 8BITMIME');

/** Why the message cannot go to a destination that offers this; it is read, for which one has to wait, only when the destination lacks 8BITMIME. */
export function contentRefusal(
  body: Body,
  offered: Capabilities,
): Response | undefined | Promise<Response | undefined> {
  const tooLarge = sizeRefusal(body.size, offered);
  if (tooLarge !== undefined || offered.has('8BITMIME')) return tooLarge;
  return isSevenBit(body).then((isSevenBitOnly) => (isSevenBitOnly ? undefined : eightBit));
}

async function isSevenBit(body: Body): Promise<boolean> {
  if (body.inMemory !== undefined) return isAscii(body.inMemory);
  for await (const chunk of body.chunks()) if (!isAscii(chunk)) return false;
  return true;
}
