/** The routes that show and move the queue: list, history, retry. */
import type { FastifyInstance } from 'fastify';
import { callerOf } from './caller.ts';
import { queueDocs } from './queue-docs.ts';
import { historyToJson, listToJson } from './queue-json.ts';
import { formatCursor, readListQuery } from './queue-query.ts';
import type { QueueService } from './queue-service.ts';
import { RequestProblem } from './service.ts';
import type { BaseUris } from './wire-view.ts';

type IdParams = { readonly id: string };

const NOTHING = Buffer.alloc(0);

export function addQueueRoutes(app: FastifyInstance, queue: QueueService, bases: BaseUris): void {
  app.get('/transactions', { schema: queueDocs.list }, async (request, reply) => {
    const caller = callerOf(request);
    // Ids are secrets that let their holder read and cancel: they are listed to who may do so anyway.
    if (!caller.isOperator && caller.senders === 'any') {
      throw new RequestProblem(403, 'a list needs an operator, or a token for the senders it is about');
    }
    const asked = request.query as Readonly<Record<string, unknown>>;
    const answer = await queue.list(readListQuery(asked), caller);
    const next = answer.next && nextUri(bases.serviceUri, asked, formatCursor(answer.next));
    // RFC 8288.
    if (next !== undefined) reply.header('link', `<${next}>; rel="next"`);
    return reply
      .header('content-type', 'application/json')
      .send(Buffer.from(JSON.stringify(listToJson(answer, bases.serviceUri, next))));
  });
  app.get<{ Params: IdParams }>('/transactions/:id/history', { schema: queueDocs.history }, async (request, reply) => {
    const history = await queue.history(request.params.id, callerOf(request));
    return reply
      .header('content-type', 'application/json')
      .send(Buffer.from(JSON.stringify(historyToJson(history, bases.serviceUri))));
  });
  app.post<{ Params: IdParams }>('/transactions/:id/retry', { schema: queueDocs.retry }, async (request, reply) => {
    await queue.retry(request.params.id, callerOf(request));
    return reply.code(200).send(NOTHING);
  });
}

/** The same question, from where the page ended. */
function nextUri(base: string, asked: Readonly<Record<string, unknown>>, cursor: string): string {
  const query = new URLSearchParams(asked as Record<string, string>);
  query.set('after', cursor);
  return `${base}/transactions?${query}`;
}
