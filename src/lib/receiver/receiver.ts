/**
 * A receiver: the application's end of a route. It speaks the REST protocol a router uses to hand a message over, stores what comes in
 * files, and asks a callback at each step whether to accept.
 */
import { readdir, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Clock, Log, Rng } from '../core/deps.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { listenProblem } from '../core/listen-problem.ts';
import { replyWithProblem, sendRefusal } from '../http/problem-reply.ts';
import { RequestProblem } from '../http/service.ts';
import { makeFolder } from './make-folder.ts';
import type { Decide, ReceivedMessage } from './received-message.ts';
import { ReceivedTransaction, type ReceiverContext } from './received-transaction.ts';
import { addReceiverRoutes, addReceiverUploads, type ReceiverRoutes } from './receiver-routes.ts';
import { systemDeps } from './system-deps.ts';

export interface ReceiverOptions {
  /** Where messages are stored; made when it is missing. */
  readonly dir: string;
  /** 0 asks for a free one. */
  readonly port: number;
  /** Default: this machine only. */
  readonly host?: string;
  /** Hears of each stored message, after it was accepted. What it throws is logged; the message stays accepted. */
  readonly onMessage?: (message: ReceivedMessage) => void | Promise<void>;
  /** Default: accept everything. */
  readonly decide?: Decide;
  /** Size limit of a message and of each part. */
  readonly bytesMax?: number;
  /** A transaction nobody asks for is forgotten after this time, and what it left incomplete is removed. */
  readonly idleMs?: number;
}

export interface Receiver {
  readonly host: string;
  readonly port: number;
  /** What to configure as the `endpoint` of a router's `rest_endpoint`. */
  readonly url: string;
  /** Answers who waits, finishes uploads at work, forgets the rest; with `signal` aborted, at once. */
  close(signal?: AbortSignal): Promise<void>;
}

export interface ReceiverDeps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly log: Log;
}

const IDLE_MS = 300_000;
const SWEEP_MS = 30_000;

/** Starts a receiver; throws `UserError` when the directory or the port cannot be used. Without `deps` it uses the machine's own. */
export async function createReceiver(options: ReceiverOptions, deps: ReceiverDeps = systemDeps()): Promise<Receiver> {
  const { dir, host = '127.0.0.1', idleMs = IDLE_MS } = options;
  await prepare(dir);
  const transactions = new Map<string, ReceivedTransaction>();
  const closing = new AbortController();
  const context: ReceiverContext = {
    dir,
    clock: deps.clock,
    log: deps.log,
    decide: options.decide ?? (() => undefined),
    onMessage: options.onMessage ?? (() => undefined),
  };
  const app = await createApp(deps.log, {
    open: () => open(transactions, context, deps.rng),
    find: (id) => find(transactions, id, deps.clock),
    bytesMax: options.bytesMax ?? limits.messageBytes,
    closing: closing.signal,
  });
  const port = await listen(app, host, options.port);
  const sweeping = sweep(transactions, deps, idleMs, closing.signal);
  return {
    host,
    port,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}/senders/router/transactions`,
    async close(signal) {
      closing.abort();
      await sweeping;
      await closeApp(app, signal);
      await Promise.all([...transactions.values()].map((tx) => tx.cancel()));
      transactions.clear();
    },
  };
}

function open(transactions: Map<string, ReceivedTransaction>, context: ReceiverContext, rng: Rng): ReceivedTransaction {
  if (transactions.size >= limits.receiverTransactions) {
    throw new RequestProblem(503, 'too many transactions', { headers: { 'retry-after': '1' } });
  }
  const tx = new ReceivedTransaction(rng.bytes(16).toString('hex'), context);
  transactions.set(tx.live.id, tx);
  return tx;
}

function find(transactions: Map<string, ReceivedTransaction>, id: string, clock: Clock): ReceivedTransaction {
  const tx = transactions.get(id);
  if (tx === undefined) throw new RequestProblem(404, 'unknown tx');
  tx.usedAt = clock.monotonicMs();
  return tx;
}

async function createApp(log: Log, routes: ReceiverRoutes): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: limits.requestJsonBytes,
    requestTimeout: 0,
    connectionTimeout: limits.httpIdleMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 4 * limits.requestNameChars },
  });
  app.setErrorHandler((error, request, reply) => replyWithProblem(log, error, request, reply));
  app.setNotFoundHandler((_request, reply) => sendRefusal(reply, { status: 404, detail: 'no such resource' }));
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, entity, parsed) => parsed(null, entity));
    addReceiverRoutes(scope, routes);
    done();
  });
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    addReceiverUploads(scope, routes);
    done();
  });
  return app;
}

async function prepare(dir: string): Promise<void> {
  try {
    await makeFolder(dir);
    // What an earlier process left incomplete belongs to transactions that nobody can finish any more.
    const left = (await readdir(dir)).filter((name) => /^[0-9a-f]{32}\..*\.part$/.test(name));
    await Promise.all(left.map((name) => rm(join(dir, name), { force: true })));
  } catch (error) {
    throw new UserError(`cannot use the directory ${dir}: ${(error as Error).message}`, exitCodes.cantCreate);
  }
}

async function listen(app: FastifyInstance, host: string, port: number): Promise<number> {
  try {
    await app.listen({ host, port });
  } catch (error) {
    throw new UserError(listenProblem(host, port, error), exitCodes.unavailable);
  }
  return (app.server.address() as AddressInfo).port;
}

async function closeApp(app: FastifyInstance, signal: AbortSignal | undefined): Promise<void> {
  const cut = (): void => app.server.closeAllConnections();
  if (signal?.aborted) cut();
  else signal?.addEventListener('abort', cut, { once: true });
  try {
    await app.close();
  } finally {
    signal?.removeEventListener('abort', cut);
  }
}

async function sweep(
  transactions: Map<string, ReceivedTransaction>,
  { clock, log }: ReceiverDeps,
  idleMs: number,
  closing: AbortSignal,
): Promise<void> {
  while (!closing.aborted) {
    await clock.sleep(Math.min(SWEEP_MS, idleMs), closing);
    for (const [id, tx] of transactions) {
      if (tx.isBeingDecided || clock.monotonicMs() - tx.usedAt < idleMs) continue;
      transactions.delete(id);
      await tx
        .cancel()
        .catch((error: unknown) => log.error({ error, tx: id }, 'cannot remove what was left incomplete'));
    }
  }
}
