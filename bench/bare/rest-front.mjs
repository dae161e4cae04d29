/** The REST side of the bare relay: fastify and one route that takes the same JSON as Koukan. */
import fastify from 'fastify';

const SIZE_MAX_BYTES = 128 * 1024 * 1024;
const CREATED = 201;

/** `take` resolves when a message may be answered for. Resolves when it listens. */
export async function startRest(port, take) {
  const app = fastify({ bodyLimit: SIZE_MAX_BYTES });
  app.post('/messages', async ({ body }, answer) => {
    const { mail_from: from, rcpt_to: to, body: content } = body;
    await take({ from: from.m, to: to.map(({ m }) => m), content: Buffer.from(content.inline) });
    return answer.code(CREATED).send({});
  });
  await app.listen({ port, host: '127.0.0.1' });
}
