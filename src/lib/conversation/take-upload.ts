/** The bytes of a message that come by PUT, whole or in ranges (protocol §1.6), into the spool of a conversation. */
import { memoryBody } from '../core/body.ts';
import { limits } from '../core/limits.ts';
import { RangeProblem, RequestProblem, type UploadAsk, type UploadProgress } from '../http/service.ts';
import type { SpoolWriter } from '../spool/spool-writer.ts';
import type { Conversation } from './conversation.ts';

export interface UploadEnv {
  readonly makeSpool: () => SpoolWriter;
  /** Called whenever bytes have come: the client is there. */
  readonly onHeard: () => void;
}

/**
 * Takes what is new; a prefix that is there already is skipped, so a plain retry works. The message is complete when its declared length is
 * reached, or at the end of an upload of the whole. One call at a time. Throws `RangeProblem` with the progress when the range does not
 * continue what is there or contradicts a declared length, and `RequestProblem` when the conversation is over.
 */
export async function takeUpload(conversation: Conversation, ask: UploadAsk, env: UploadEnv): Promise<UploadProgress> {
  checkRange(conversation, ask);
  env.onHeard();
  let at = ask.offset;
  for await (const chunk of ask.bytes) {
    env.onHeard();
    const have = conversation.uploadedBytes;
    const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, have - at)));
    at += chunk.length;
    if (fresh.length === 0) continue;
    checkOpen(conversation);
    if (have + fresh.length > (conversation.declaredBytes ?? Number.POSITIVE_INFINITY)) throw outOfRange(conversation);
    await append(conversation, fresh, env);
  }
  await completeAt(conversation, ask.whole ? at : conversation.declaredBytes, ask.whole, env);
  return progressOf(conversation);
}

/** Takes a whole message that is small and there already, as most are; `undefined` when it is not as simple as that. */
export function takeAtOnce(
  conversation: Conversation,
  ask: UploadAsk,
  onHeard: () => void,
): UploadProgress | undefined {
  const { inMemory } = ask;
  if (inMemory === undefined || !ask.whole || inMemory.length > limits.bodyUnaskedBytes) return undefined;
  if (conversation.isBodyComplete || conversation.uploadedBytes > 0 || conversation.declaredBytes !== undefined) {
    return undefined;
  }
  checkOpen(conversation);
  onHeard();
  conversation.live.apply({ type: 'body', body: memoryBody(inMemory) });
  return { length: inMemory.length, total: inMemory.length };
}

function checkRange(conversation: Conversation, ask: UploadAsk): void {
  const { uploadedBytes, isBodyComplete } = conversation;
  if (!isBodyComplete) checkOpen(conversation);
  if (ask.offset > uploadedBytes) throw outOfRange(conversation);
  if (ask.whole || ask.total === undefined) return;
  const known = isBodyComplete ? uploadedBytes : (conversation.declaredBytes ?? ask.total);
  if (ask.total !== known || ask.total < uploadedBytes) throw outOfRange(conversation);
  conversation.declaredBytes = ask.total;
}

async function append(conversation: Conversation, bytes: Buffer, env: UploadEnv): Promise<void> {
  try {
    await conversation.append(bytes, env.makeSpool);
  } catch (error) {
    // What it was written to may have been discarded meanwhile, with the conversation.
    checkOpen(conversation);
    throw error;
  }
}

/** Bytes may come late, after the client was given up or has cancelled: then there is nothing to add them to. */
function checkOpen(conversation: Conversation): void {
  if (conversation.isBodyComplete) throw outOfRange(conversation);
  if (conversation.isOver) throw new RequestProblem(409, 'the transaction has ended');
}

async function completeAt(
  conversation: Conversation,
  total: number | undefined,
  isWhole: boolean,
  env: UploadEnv,
): Promise<void> {
  if (total === undefined) return;
  const { isBodyComplete, uploadedBytes, declaredBytes } = conversation;
  // What has ended has let go of its bytes, so their number says nothing any more.
  if (!isBodyComplete) checkOpen(conversation);
  if (isWhole && total !== (declaredBytes ?? uploadedBytes)) throw outOfRange(conversation);
  if (isBodyComplete || total !== uploadedBytes) return;
  await conversation.complete(env.makeSpool);
}

function outOfRange(conversation: Conversation): RangeProblem {
  return new RangeProblem(progressOf(conversation));
}

function progressOf({ uploadedBytes, isBodyComplete, declaredBytes }: Conversation): UploadProgress {
  const total = isBodyComplete ? uploadedBytes : declaredBytes;
  return { length: uploadedBytes, ...(total !== undefined && { total }) };
}
