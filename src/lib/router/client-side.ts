/**
 * The half of a router that its clients see: conversations in memory, transactions in the store, and the queue for whoever runs it. This
 * file only wires.
 */
import type { RouterConfig } from '../config/router-config.ts';
import { ConversationTable } from '../conversation/conversation-table.ts';
import type { Admission } from '../core/admission.ts';
import type { Deps } from '../core/deps.ts';
import type { Hop } from '../core/hop.ts';
import { limits } from '../core/limits.ts';
import type { QueueService } from '../http/queue-service.ts';
import type { TransactionService } from '../http/service.ts';
import type { Spool } from '../spool/spool.ts';
import type { Store } from '../store/store.ts';
import { Accept } from './accept.ts';
import { localRouterHop } from './local-hop.ts';
import { NativeTransactions } from './native.ts';
import { Queue } from './queue.ts';
import { SenderGate } from './sender-gate.ts';
import { Whereabouts } from './whereabouts.ts';
import type { WorkSide } from './work-side.ts';

export interface ClientSideOptions {
  readonly config: RouterConfig;
  readonly deps: Deps;
  readonly store: Store;
  readonly spool: Spool;
  readonly admission: Admission;
  /** Whether the process has been told to end. */
  readonly isQuiet: () => boolean;
}

export interface ClientSide {
  readonly conversations: ConversationTable;
  readonly service: TransactionService;
  readonly queue: QueueService;
  /** The router as a next hop by a call. */
  readonly hop: Hop;
}

export function makeClientSide(
  { config, deps, store, spool, admission, isQuiet }: ClientSideOptions,
  work: WorkSide,
): ClientSide {
  const { routes, journal, session, workshop, unpromised, onDue } = work;
  const { restIdEntropy } = config.global;
  const conversations = new ConversationTable({
    deps,
    admission,
    doneTtlMs: config.storage.cacheTtlMs,
    makeSpool: () => spool.writer({ maxBytes: limits.messageBytes }),
  });
  const senderGate = new SenderGate((sender) => config.senders.get(sender)?.maxInflight, admission);
  const shared = { deps, store, journal, workshop, unpromised, restIdEntropy, senderGate, onDue };
  const { chunkSize } = config.restListener;
  const whereabouts = new Whereabouts({ store, session });
  const native = new NativeTransactions({ ...shared, spool, chunkSize, whereabouts });
  const sessionId = (): string | undefined => store.sessionId;
  const service = new Accept({ ...shared, routes, conversations, native, sessionId, isQuiet });
  const queue = new Queue({ ...shared, routes });
  return { conversations, service, queue, hop: localRouterHop(service, routes, conversations) };
}
