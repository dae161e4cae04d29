/** A server that listens before it can serve: who comes waits, in whichever way he came, and is sent away only when it takes too long. */
import { expect, it } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { encodeFrame, kinds } from '../../src/lib/http/frame.ts';
import { Opening } from '../../src/lib/http/opening.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { ENVELOPE, joined } from './frame-wire.ts';
import { type Running, startRestServer } from './rest-server.ts';

const create = (id: number): Buffer =>
  encodeFrame(id, kinds.request, 'POST /senders/router/transactions', {}, ENVELOPE);

const post = ({ url }: Running): Promise<Response> =>
  fetch(`${url}/senders/router/transactions`, { method: 'POST', body: ENVELOPE });

async function livez({ url }: Running): Promise<number> {
  return (await fetch(`${url}/livez`)).status;
}

it('has requests wait until it is open, those that come as frames, too, and answers a supervisor meanwhile', async () => {
  const opening = new Opening(new FakeClock());
  const running = await startRestServer({}, { opening });
  const { socket, next } = await joined(running.url);
  socket.write(create(1));
  const [posted, framed] = [post(running), next()];
  for (let i = 0; i < 5; i += 1) expect(await livez(running)).toBe(200);
  expect(running.service.transactions.size).toBe(0);
  opening.open();
  expect((await posted).status).toBe(201);
  expect(await framed).toMatchObject({ id: 1, start: '201' });
  socket.write(create(2));
  expect(await next()).toMatchObject({ id: 2, start: '201' });
});

it.each([
  ['takes too long', (_: Opening, clock: FakeClock) => clock.advance(limits.restOpeningMs)],
  ['never opens', async (opening: Opening) => opening.giveUp()],
])('has them come later when it %s', async (_, happens) => {
  const clock = new FakeClock();
  const opening = new Opening(clock);
  const running = await startRestServer({}, { opening });
  const posted = post(running);
  for (let isAnswered = false; !isAnswered; ) {
    await happens(opening, clock);
    isAnswered = await Promise.race([posted.then(() => true), livez(running).then(() => false)]);
  }
  const answer = await posted;
  expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
  expect(await answer.json()).toMatchObject({ detail: 'not ready yet, try again' });
  expect(running.service.transactions.size).toBe(0);
});
