/** The OpenAPI document of the REST protocol, made from the schemas that check the requests. */
import swagger from '@fastify/swagger';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { z } from 'zod';
import { createSchema, problemSchema, updateSchema, viewSchema } from './wire-schema.ts';

/** A schema as the document shows it. */
export function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' });
  return rest;
}

const view = jsonSchema(viewSchema);
/** The answer of every route that refuses. */
export const problem = {
  description: 'Why not',
  content: { 'application/problem+json': { schema: jsonSchema(problemSchema) } },
};

const text = { type: 'string' } as const;
const idParams = { type: 'object', properties: { id: text }, required: ['id'] } as const;

function viewAnswer(description: string, headers: Readonly<Record<string, string>>): object {
  const described = Object.entries(headers).map(([name, about]) => [name, { ...text, description: about }]);
  return { description, content: { 'application/json': { schema: view } }, headers: Object.fromEntries(described) };
}

const etag = { etag: 'The version of the transaction: a decimal number.' };

const wait = {
  prefer: {
    ...text,
    description: '`wait=N`: the answer may take N seconds, at most 30, and has the replies (RFC 7240).',
  },
};

const upload = {
  summary: 'Upload a message or a part: whole, or in ranges with Content-Range',
  consumes: ['application/octet-stream'],
  headers: {
    type: 'object',
    properties: {
      'content-range': text,
      'x-finalize-blob-length': text,
      prefer: {
        ...text,
        description:
          '`return=representation`: the answer is the transaction; with `wait=N` once the replies are there (RFC 7240).',
      },
    },
  },
  response: { 200: { description: 'Stored; content-range says what is there', type: 'object' }, '4xx': problem },
} as const;

/** The documentation of each route. */
export const routeDocs = {
  create: {
    summary: 'Create a transaction',
    params: { type: 'object', properties: { sender: text }, required: ['sender'] },
    headers: { type: 'object', properties: wait },
    body: jsonSchema(createSchema),
    response: {
      201: viewAnswer('Created', { ...etag, location: 'The URL of the transaction.' }),
      '4xx': problem,
    },
  },
  read: {
    summary: 'Read a transaction, or wait until it changes',
    params: idParams,
    headers: {
      type: 'object',
      properties: {
        'if-none-match': { ...text, description: 'The last ETag: waits until the transaction differs from it.' },
        'request-timeout': { ...text, description: 'Seconds to wait at most; 30 when absent.' },
      },
    },
    response: {
      200: viewAnswer('The transaction', etag),
      304: { description: 'Nothing changed', type: 'null' },
      '4xx': problem,
    },
  },
  update: {
    summary: 'Add to a transaction, or (with no entity) keep it alive',
    params: idParams,
    headers: {
      type: 'object',
      properties: { 'if-match': { ...text, description: 'The last ETag; required to add.' }, ...wait },
    },
    body: jsonSchema(updateSchema),
    response: { 200: viewAnswer('Updated', etag), '4xx': problem },
  },
  body: { ...upload, params: idParams },
  blob: {
    ...upload,
    params: { type: 'object', properties: { id: text, blob: text }, required: ['id', 'blob'] },
  },
  cancel: {
    summary: 'Cancel a transaction',
    params: idParams,
    response: { 200: { description: 'Cancelled, or ended already', type: 'null' }, '4xx': problem },
  },
} satisfies Record<string, FastifySchema & { summary: string; consumes?: readonly string[] }>;

/** Serves the document at `/openapi.json`. Must be awaited before the routes are added. */
export async function addOpenApi(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Koukan',
        description: 'Moves mail: create a transaction, upload its message, read what became of it.',
        version: '1',
      },
    },
  });
  let document: Buffer | undefined;
  app.get('/openapi.json', { schema: { hide: true } as FastifySchema }, (_request, reply) => {
    document ??= Buffer.from(JSON.stringify(app.swagger()));
    return reply.header('content-type', 'application/json').send(document);
  });
}
