/** A path that is there, asked with a method that is not for it, says which are. */
import { describe, expect, it } from 'vitest';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

describe('a REST server', () => {
  it.each([
    ['DELETE', '/livez', 'GET'],
    ['POST', '/livez?full=1', 'GET'],
    ['GET', '/senders/news/transactions', 'POST'],
  ])('answers %s %s with 405 and the methods that are for it', async (method, path, allow) => {
    const { url } = await startRestServer();
    const answer = await rawRequest(method, `${url}${path}`);
    expect(answer).toMatchObject({
      status: 405,
      headers: { allow, 'content-type': 'application/problem+json' },
      json: { status: 405, detail: `${method} is not for this resource: ${allow}` },
    });
  });

  it.each([
    ['GET', '/nothing'],
    ['POST', '/'],
    ['GET', '/senders//transactions'],
    ['GET', '/transactions/a/b/c'],
  ])('answers %s %s with 404', async (method, path) => {
    const { url } = await startRestServer();
    expect(await rawRequest(method, `${url}${path}`)).toMatchObject({
      status: 404,
      json: { detail: 'no such resource' },
    });
  });
});
