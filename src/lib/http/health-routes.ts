/**
 * What a supervisor, a load balancer and a metrics collector ask. `/livez` and `/readyz` answer anybody and reveal nothing beyond the words
 * below; `/metrics` is for operators, because the names of senders are in it.
 */
import type { FastifyInstance, FastifySchema } from 'fastify';
import { callerOf, requireOperator } from './caller.ts';

/** What a process is not ready with, in words that say where to look: `session`, `store`, `draining`. */
export type Readiness = () => readonly string[];

/** Text for a collector, with its media type. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface HealthOptions {
  /** Without it, whoever answers is ready. */
  readonly readiness?: Readiness;
  readonly metrics?: () => Promise<MetricsText>;
}

const hidden = { schema: { hide: true } as FastifySchema };

export function addHealthRoutes(app: FastifyInstance, { readiness, metrics }: HealthOptions): void {
  const json = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
  // Whoever can answer lives: the event loop turns.
  app.get('/livez', hidden, (_request, reply) =>
    reply.headers({ 'content-type': 'application/json', 'cache-control': 'no-store' }).send(json({ alive: true })),
  );
  app.get('/readyz', hidden, (_request, reply) => {
    const missing = readiness?.() ?? [];
    return reply
      .code(missing.length === 0 ? 200 : 503)
      .headers({ 'content-type': 'application/json', 'cache-control': 'no-store' })
      .send(json(missing.length === 0 ? { ready: true } : { ready: false, not_ready: missing }));
  });
  if (metrics === undefined) return;
  app.get('/metrics', hidden, async (request, reply) => {
    requireOperator(callerOf(request));
    const { contentType, text } = await metrics();
    return reply.header('content-type', contentType).send(Buffer.from(text));
  });
}
