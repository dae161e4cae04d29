/**
 * What a REST peer is told at DATA, in the order an application needs it (protocol §1.8, §1.11): what filters found out, the parsed message,
 * its parts, and last the message itself, which completes the transaction. A peer that asks for nothing of this gets the message.
 *
 *   PATCH filter_output → POST message_builder → PUT each part → PUT body
 *
 * What goes with a message must not keep it from arriving. Findings that a peer does not take are left out. JSON or parts that it refuses
 * (4xx) or has no place for would fare so each time, so the message goes without them; that is said to the caller, because it takes a new transaction: what
 * a receiver has made of what it refused is not known (the original's example keeps half of it, and then answers 250 for a message whose
 * record it cannot write). A failure that may pass (5xx, no answer) is an error: the attempt ends and a later one has everything.
 */
import type { Body } from '../core/body.ts';
import type { Log } from '../core/deps.ts';
import { notesOf, type ParsedMessage } from '../core/parsed-message.ts';
import type { FilterOutput } from '../core/transaction.ts';
import type { Deadline } from './deadline.ts';
import type { RemoteTransaction } from './remote-transaction.ts';
import { isJudgement, ParsedMessageTrouble, UpstreamTrouble } from './upstream-trouble.ts';
import { newFilterOutput } from './wire-create.ts';

export interface HandOver {
  readonly body: Body;
  /** What the peer was told when the transaction was created. */
  readonly toldFilterOutput: FilterOutput;
  readonly chunkSize: number;
  readonly deadline: Deadline;
  readonly log: Log;
}

/** Resolves once the peer has all, or with `parsedRefused` before the message was offered; throws `HttpTrouble` or `UpstreamTrouble`. */
export async function handOver(remote: RemoteTransaction, what: HandOver): Promise<'sent' | 'parsedRefused'> {
  const { body, chunkSize, deadline, log } = what;
  const { parsed, filterOutput } = notesOf(body);
  const news = newFilterOutput(filterOutput ?? {}, what.toldFilterOutput);
  if (Object.keys(news).length > 0) await tell(remote, news, what);
  if (parsed !== undefined && remote.view.builderUri !== undefined) {
    const isTaken = await handOverParsed(remote, parsed, deadline, log);
    if (!isTaken) return 'parsedRefused';
  }
  await remote.upload(body, chunkSize, deadline);
  return 'sent';
}

/** An application that cannot hear of findings still gets its mail; only the deadline ends the attempt. */
async function tell(remote: RemoteTransaction, news: FilterOutput, { deadline, log }: HandOver): Promise<void> {
  try {
    await remote.addFilterOutput(news, deadline);
  } catch (error) {
    if (!(error instanceof UpstreamTrouble)) throw error;
    log.warn({ why: error.message, detail: error.detail }, 'the next hop does not take filter_output: sent without it');
  }
}

/** Whether the peer has taken the parsed message and its parts. */
async function handOverParsed(
  remote: RemoteTransaction,
  { json, blobs }: ParsedMessage,
  deadline: Deadline,
  log: Log,
): Promise<boolean> {
  try {
    if (!(await remote.announce(json, blobs.keys(), deadline))) {
      log.warn({}, 'the next hop has no place for each part of the parsed message: sent without it');
      return false;
    }
    for (const [id, blob] of blobs) await remote.uploadPart(id, blob, deadline);
    return true;
  } catch (error) {
    if (!(error instanceof UpstreamTrouble)) throw error;
    const { message, detail, status } = error;
    if (!isJudgement(error))
      throw new ParsedMessageTrouble(`parsed message: ${message}`, { ...(detail && { detail }) });
    log.warn({ status, why: message, detail }, 'the next hop refuses the parsed message: sent without it');
    return false;
  }
}
