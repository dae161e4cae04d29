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
  return store(work, plan, leave !== undefined, env).then(
    () => {
      if (leave === undefined) return viewOfWork(work);
      try {
        workshop.start(work);
      } finally {
        leave();
      }
      return attached(work, plan, env);
    },
    (error: unknown) => {
      leave?.();
      throw error instanceof BlobReuseError ? reuseProblem(error) : error;
    },
  );
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

function store(work: Work, { blobs }: BodyPlan, hasPlace: boolean, env: NativeCreateEnv): Promise<void> {
  const now = work.facts.createdAt;
  if (hasPlace) work.attemptStartedAt = now;
  const transaction: NewTransaction = {
    record: work.record(),
    blobs,
    attempts: hasPlace ? [work.attemptRecord()] : [],
    next: hasPlace ? { kind: 'leased' } : { kind: 'due', at: now },
  };
  return env.store.create([transaction], now).then(() => {
    env.journal.accepted(transaction.record);
    work.declareBlobs(blobs.map(({ name, source }) => ({ name, finalized: source.kind !== 'open' })));
  });
}

/** The same words for what is not there and for what is another sender's: nobody learns whose there is. */
function reuseProblem({ reason, blob, txId, message }: BlobReuseError): RequestProblem {
  const isMissing = reason === 'missing';
  const detail = isMissing
    ? `reuse_uri: this sender has no blob ${blob} of a transaction ${txId}`
    : `reuse_uri: ${message}`;
  return new RequestProblem(isMissing ? 400 : 409, detail, { pointer: '/body' });
}

/** Gives the attempt what came with the create. A plain message is at hand; what is shared with an earlier transaction, or too much, is read. */
function attached(work: Work, plan: BodyPlan, env: NativeCreateEnv): TransactionView | Promise<TransactionView> {
  const [first] = plan.blobs;
  const isPlain = plan.messageBuilder === undefined && first?.source.kind === 'body';
  if (isPlain && attachedAtHand(work, first.source.body, env.spool)) return viewOfWork(work);
  return plan.isComplete ? attachPlanned(work, plan, env).then(() => viewOfWork(work)) : viewOfWork(work);
}

/** An attempt can take long. So what is not small stays in memory only as long as all of its kind have room there: it is stored, and can be read. */
function attachedAtHand(work: Work, body: Body, spool: Spool): boolean {
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
