/** A REST server that has too much to do takes nothing new, says when to come back, and goes on with what is begun. */
import { expect, it } from 'vitest';
import type { Admission, Overload } from '../../src/lib/core/admission.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

it('is asked to come later with a new transaction, and nothing else', async () => {
  const refusals: string[] = [];
  const admission: Admission & { overload: Overload | undefined } = {
    overload: undefined,
    refused: (door, why) => refusals.push(`${door} ${why}`),
  };
  const { url } = await startRestServer({}, { admission });
  const body = JSON.stringify({ mail_from: { m: 'ops@shop.test' }, rcpt_to: [{ m: 'kim@dest.test' }] });
  const create = () => rawRequest('POST', `${url}/senders/a/transactions`, { body });
  expect((await create()).status).toBe(201);

  admission.overload = 'store';
  const refused = await create();
  expect(refused.status).toBe(503);
  expect(refused.headers['retry-after']).toBe(String(limits.overloadRetryAfterSeconds));
  expect(refused.headers['content-type']).toBe('application/problem+json');
  expect(refusals).toEqual(['create store']);
  expect((await rawRequest('GET', `${url}/transactions/tx1`)).status).toBe(200);
  expect((await rawRequest('PUT', `${url}/transactions/tx1/body`, { body: Buffer.from('x') })).status).toBe(200);

  admission.overload = undefined;
  expect((await create()).status).toBe(201);
});
