/** A plugin broke its contract: it threw, or answered what is no answer. Logged with its name, and never the end of the process. */
import { type Response, reply } from '../core/response.ts';
import { type PluginPart, partWords } from './plugin-part.ts';
import { thrownWords } from './thrown-words.ts';

/** What is answered in its place: nothing internal leaks, and the client may try again. */
export const pluginFailedReply: Response = reply(451, '4.3.0', 'a filter failed, try again later');

export class PluginFault extends Error {
  override readonly name = 'PluginFault';
  readonly part: PluginPart;

  /** `what` continues a sentence about the part: `threw …`, `answered …`. */
  constructor(part: PluginPart, what: string, cause?: unknown) {
    super(`${partWords(part)} ${what}`, cause === undefined ? undefined : { cause });
    this.part = part;
  }

  /** The fault that something thrown by a plugin is. */
  static of(part: PluginPart, thrown: unknown): PluginFault {
    return thrown instanceof PluginFault ? thrown : new PluginFault(part, `threw ${thrownWords(thrown)}`, thrown);
  }
}
