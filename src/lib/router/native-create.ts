/**
 * Creates a native transaction: in the store before the 201, together with the bytes that came with it, and in work at once if there is a
 * place for it.
 */
import type { Body } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { type Origin, originOf } from '../core/envelope.ts';
import { limits } from '../core/limits.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { NEW_TX } from '../core/transaction.ts';
import { type CreateAsk, RequestProblem, type TransactionView } from '../http/service.ts';
import type { HeldBody } from '../spool/held-body.ts';
import type { Spool } from '../spool/spool.ts';
import { BlobReuseError, type NewTransaction, type Store } from '../store/store.ts';
import { type BodyPlan, planBody } from './body-plan.ts';
import type { Journal } from './journal.ts';
import { bodyOf } from './load-body.ts';
import { newTransactionId } from './transaction-id.ts';
import type { Unpromised } from './unpromised.ts';
import { viewOfWork } from './view.ts';
import { type Route, Work } from './work.ts';
import type { Workshop } from './workshop.ts';

export interface NativeCreateEnv {
  readonly deps: Deps;
  readonly store: Store;
  readonly journal: Journal;
  readonly workshop: Workshop;
  /** Knows how much lies in memory. */
  readonly spool: Spool;
  readonly unpromised: Pick<Unpromised, 'notCreated'>;
  readonly restIdEntropy: number;
}

/** Throws `RequestProblem` 400 for an envelope or a body that cannot be one; rejects with 409 for a blob that cannot be shared yet. */
export function createNative(route: Route, ask: CreateAsk, env: NativeCreateEnv): Promise<TransactionView> {
  const { workshop } = env;
  const envelope = envelopeOf(ask);
  const plan = planBody(ask.body);
  const work = newWork(route, originOf(ask), envelope, plan, env);
  // Kept while the transaction is being stored: many that come at the same moment would else all see the same free place.
  const leave = workshop.reserve(work);
  const transaction = transactionOf(work, plan, leave !== undefined);
  return env.store.create([transaction], work.facts.createdAt).then(
    () => {
      env.journal.accepted(transaction.record);
      work.declareBlobs(plan.blobs.map(({ name, source }) => ({ name, finalized: source.kind !== 'open' })));
      if (leave === undefined) return viewOfWork(work);
      try {
        return begun(work, plan, env);
      } finally {
        leave();
      }
    },
    (error: unknown) => {
      leave?.();
      env.unpromised.notCreated([transaction], error);
      throw error instanceof BlobReuseError ? reuseProblem(error) : error;
    },
  );
}

/** Starts the attempt. With the message, where that is at hand, so that DATA leaves with the envelope. */
function begun(work: Work, plan: BodyPlan, env: NativeCreateEnv): TransactionView | Promise<TransactionView> {
  const isToBeRead = plan.isComplete && !attachedAtHand(work, plan, env.spool);
  env.workshop.start(work);
  return isToBeRead ? attachPlanned(work, plan, env).then(() => viewOfWork(work)) : viewOfWork(work);
}

function newWork(
  route: Route,
  origin: Origin,
  { mailFrom, rcpt }: Envelope,
  { messageBuilder }: BodyPlan,
  { deps, restIdEntropy }: NativeCreateEnv,
): Work {
  const now = deps.clock.now();
  const { retry, notification } = route.sender;
  const id = newTransactionId(deps, restIdEntropy);
  const facts = { id, route, origin, createdAt: now, ...(messageBuilder !== undefined && { messageBuilder }) };
  const state = { ...NEW_TX, mailFrom, rcptTo: [rcpt], retry, notification };
  return new Work(facts, { state, version: 0, pastAttempts: [], isDurable: true, now: deps.clock.monotonicMs() });
}

interface Envelope {
  readonly mailFrom: Mailbox;
  readonly rcpt: Mailbox;
}

function envelopeOf({ mailFrom, rcptTo }: CreateAsk): Envelope {
  const [rcpt] = rcptTo;
  if (mailFrom !== undefined && rcpt !== undefined && rcptTo.length === 1) return { mailFrom, rcpt };
  const detail = 'this sender takes one recipient per transaction: give mail_from and exactly one rcpt_to';
  throw new RequestProblem(400, detail, { pointer: mailFrom === undefined ? '/mail_from' : '/rcpt_to' });
}

function transactionOf(work: Work, { blobs }: BodyPlan, hasPlace: boolean): NewTransaction {
  const { createdAt } = work.facts;
  if (!hasPlace) return { record: work.record(), blobs, attempts: [], next: { kind: 'due', at: createdAt } };
  work.attemptStartedAt = createdAt;
  return { record: work.record(), blobs, attempts: [work.attemptRecord()], next: { kind: 'leased' } };
}

/** The same words for what is not there and for what is another sender's: nobody learns whose there is. */
function reuseProblem({ reason, blob, txId, message }: BlobReuseError): RequestProblem {
  const isMissing = reason === 'missing';
  const detail = isMissing
    ? `reuse_uri: this sender has no blob ${blob} of a transaction ${txId}`
    : `reuse_uri: ${message}`;
  return new RequestProblem(isMissing ? 400 : 409, detail, { pointer: '/body' });
}

/**
 * Gives the attempt the plain message that came with the create; answers `false` for what is shared with an earlier transaction, or built. An
 * attempt can take long, so what is not small stays in memory only as long as all of its kind have room there: it is stored, and can be read.
 */
function attachedAtHand(work: Work, { blobs, messageBuilder }: BodyPlan, spool: Spool): boolean {
  const source = blobs[0]?.source;
  if (messageBuilder !== undefined || source?.kind !== 'body') return false;
  const { body } = source;
  if (body.size <= limits.bodyUnaskedBytes) {
    work.attach(body);
    return true;
  }
  const held = spool.hold(body);
  if (held === undefined) return false;
  work.attach(held);
  held.release();
  return true;
}

async function attachPlanned(work: Work, { blobs, messageBuilder }: BodyPlan, env: NativeCreateEnv): Promise<void> {
  const { deps } = env;
  const sources = new Map(blobs.map(({ name, source }) => [name, source]));
  const held: HeldBody[] = [];
  const open = async (name: string): Promise<Body | undefined> => {
    const source = sources.get(name);
    const body = source?.kind === 'body' ? env.spool.hold(source.body) : undefined;
    if (body === undefined) return env.store.openBlob(work.facts.id, name);
    held.push(body);
    return body;
  };
  try {
    work.attach(await bodyOf(open, messageBuilder, deps));
  } catch (error) {
    // It is stored, and its client hears so. This attempt is over; as nobody has it in work, it is let go, and tried again.
    deps.log.error({ tx: work.facts.id, error }, 'a message cannot be read right after it was stored, trying again');
    work.stop.pull('shutdown');
  } finally {
    // Whoever has the message holds them now.
    for (const body of held) body.release();
  }
}
