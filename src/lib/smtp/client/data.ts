/** Sends a message with DATA (RFC 5321 §4.1.1.4). */
import { type Body, bodyBytes } from '../../core/body.ts';
import { limits } from '../../core/limits.ts';
import { isOk, type Response, reply } from '../../core/response.ts';
import { inDoubt } from '../../core/uncertainty.ts';
import type { Dialogue } from './dialogue.ts';
import { DotStuffer } from './dot-stuffer.ts';

/** The message went out whole; without an answer nobody knows whether the server has taken it. */
export const AFTER_MESSAGE = 'after the final dot, before the reply: the message may have been delivered';
const DURING_MESSAGE = 'in the middle of the message';

/** The bytes could not be had; what was sent of them must not look complete, so the connection goes too. */
export function unreadable(dialogue: Dialogue): readonly Response[] {
  const answer = reply(451, '4.3.0', 'the message could not be read');
  dialogue.destroy(() => answer);
  return [answer];
}

/** Answers with `replies` responses, or with a single one for all recipients when the message did not go out whole. */
export async function sendData(dialogue: Dialogue, body: Body, replies: number): Promise<readonly Response[]> {
  const go = await dialogue.ask('DATA', 'at DATA');
  if (go.code !== 354) return [go.code < 400 ? protocolError(dialogue, `unexpected reply ${go.code} at DATA`) : go];
  const progress: Progress = { step: DURING_MESSAGE, early: undefined, isCutOff: false };
  // Awaited from now on, because a server that has had enough may say so, or hang up, before the end.
  const where = (): string => cutOffAt(progress);
  const answers = [dialogue.expect(where)];
  while (answers.length < replies) answers.push(dialogue.expect(where));
  const stuffer = new DotStuffer(body.hasOnlyCrlf);
  const whole = body.inMemory ?? (await inOnePiece(body));
  if (whole === 'unreadable') return unreadable(dialogue);
  if (whole === undefined) {
    void answers[0]?.then((response) => {
      if (progress.step === DURING_MESSAGE) progress.early = response;
    });
    if (!(await sendChunks(dialogue, body, stuffer, progress))) return unreadable(dialogue);
    if (progress.early !== undefined) return [earlyAnswer(dialogue, progress.early)];
  }
  progress.step = AFTER_MESSAGE;
  await dialogue.send(whole === undefined ? [stuffer.end()] : ended(stuffer, whole));
  const responses = answers.length === 1 ? [(await answers[0]) as Response] : await Promise.all(answers);
  return progress.isCutOff ? responses.map(inDoubt) : responses;
}

interface Progress {
  step: string;
  /** The answer, when it came before the end. */
  early: Response | undefined;
  isCutOff: boolean;
}

/** A copy of this many bytes costs less than another buffer in the call that writes them. */
const COPIED_BYTES = 16_384;

/** Text and end, in one write. */
function ended(stuffer: DotStuffer, whole: Buffer): readonly Buffer[] {
  const text = stuffer.next(whole);
  const end = stuffer.end();
  return text.length > COPIED_BYTES ? [text, end] : [Buffer.concat([text, end])];
}

/** Called only when there will be no reply from the server: an answer that is made then is our own word. */
function cutOffAt(progress: Progress): string {
  progress.isCutOff = progress.step === AFTER_MESSAGE;
  return progress.step;
}

/** A message that is small enough to be in memory; `undefined` when it is not. */
async function inOnePiece(body: Body): Promise<Buffer | 'unreadable' | undefined> {
  if (body.whole === undefined && body.size > limits.blobChunkBytes) return undefined;
  try {
    const bytes = await bodyBytes(body);
    return bytes.length === body.size ? bytes : 'unreadable';
  } catch {
    return 'unreadable';
  }
}

/** Everything but the end; stops when an answer is there already. Says `false` when the body is not what it said it is. */
async function sendChunks(dialogue: Dialogue, body: Body, stuffer: DotStuffer, progress: Progress): Promise<boolean> {
  let readBytes = 0;
  let ready: Buffer[] = [];
  let readyBytes = 0;
  try {
    for await (const chunk of body.chunks()) {
      readBytes += chunk.length;
      ready.push(stuffer.next(chunk));
      readyBytes += chunk.length;
      // A chunk may be small, and a call to the system costs the same for many.
      if (readyBytes < limits.smtpWriteBytes && readBytes < body.size) continue;
      await dialogue.send(ready);
      if (progress.early !== undefined) return true;
      ready = [];
      readyBytes = 0;
    }
  } catch {
    return false;
  }
  return readBytes === body.size;
}

/** The connection is in the middle of DATA, which only its end can end. */
function earlyAnswer(dialogue: Dialogue, response: Response): Response {
  if (isOk(response)) return protocolError(dialogue, 'the message was accepted before its end');
  dialogue.destroy();
  return response;
}

function protocolError(dialogue: Dialogue, what: string): Response {
  const answer = reply(450, '4.5.0', `protocol error: ${what}`);
  dialogue.destroy(() => answer);
  return answer;
}
