/** The documentation of the routes that show and move the queue. */
import type { FastifySchema } from 'fastify';
import { limits } from '../core/limits.ts';
import { LISTED_STATES } from '../core/listed-state.ts';
import { jsonSchema, problem } from './open-api.ts';
import { historySchema, listSchema } from './queue-schema.ts';

const text = { type: 'string' } as const;
const idParams = { type: 'object', properties: { id: text }, required: ['id'] } as const;

function answer(description: string, schema: object): object {
  return { description, content: { 'application/json': { schema } } };
}

export const queueDocs = {
  list: {
    summary: 'List transactions, the newest first; for operators, or for the senders of a token',
    querystring: {
      type: 'object',
      additionalProperties: false,
      properties: {
        sender: { ...text, description: 'Of this sender.' },
        state: { enum: LISTED_STATES, description: 'In this state.' },
        to: { ...text, description: 'To this address, or to this domain.' },
        from: { ...text, description: 'With this reverse-path; <> for the null one.' },
        parent: { ...text, description: 'Out of this conversation, or about this transaction.' },
        after: { ...text, description: 'The cursor of a page: follow the next link instead of making one.' },
        limit: { type: 'integer', minimum: 1, maximum: limits.listPageRows, default: 50 },
      },
    },
    response: { 200: answer('A page; its link header has the next one, too', jsonSchema(listSchema)), '4xx': problem },
  },
  history: {
    summary: 'Read everything that is known of a transaction, except the message',
    params: idParams,
    response: { 200: answer('The history', jsonSchema(historySchema)), '4xx': problem },
  },
  retry: {
    summary: 'Try a transaction now that waits for its next attempt',
    params: idParams,
    response: { 200: { description: 'Due at once', type: 'null' }, '4xx': problem },
  },
} satisfies Record<string, FastifySchema & { summary: string }>;
