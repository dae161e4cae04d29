import { describe, expect, it, onTestFinished } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import { HttpClient } from '../../src/lib/http/http-client.ts';
import { type HttpAsk, HttpTrouble, httpRequest, jsonObject } from '../../src/lib/http/request.ts';
import { type Script, startFakeUpstream } from './fake-upstream.ts';
import { newGate } from './gate.ts';

async function peer(script: Script) {
  const fake = await startFakeUpstream(script);
  const client = new HttpClient();
  onTestFinished(() => client.close(AbortSignal.abort()));
  const ask = (method: HttpAsk['method'], path = '/', more: Partial<HttpAsk> = {}) =>
    httpRequest(client, true, {
      method,
      url: new URL(path, fake.url),
      signal: new AbortController().signal,
      ...more,
    });
  return { ...fake, client, ask };
}

/** Answers the first request, and breaks the connection of the second. */
function dyingAfterOne(): Script {
  let count = 0;
  return () => {
    count += 1;
    return count === 2 ? 'hangup' : { status: 200, json: { count } };
  };
}

describe('an HTTP request', () => {
  it.each(['GET', 'PUT', 'PATCH', 'POST'] as const)('repeats a %s whose kept connection was dead', async (method) => {
    const { ask, asked } = await peer(dyingAfterOne());
    await ask('GET');
    expect(jsonObject(await ask(method))).toEqual({ count: 3 });
    expect(asked).toHaveLength(3);
  });

  it('does not repeat what may be done only once, though its answer was lost', async () => {
    const { ask, asked } = await peer(dyingAfterOne());
    await ask('GET');
    await expect(ask('POST', '/', { isOnce: true })).rejects.toMatchObject({ code: 'network' });
    expect(asked).toHaveLength(2);
  });

  it('follows 307 and 308 with method and body, and other redirects only for GET', async () => {
    const { ask, asked } = await peer(({ path }) =>
      path === '/end' ? { status: 200 } : { status: Number(path.slice(1)), headers: { location: '/end' } },
    );
    expect((await ask('PUT', '/307', { body: 'x' })).url.pathname).toBe('/end');
    expect(asked[1]).toMatchObject({ method: 'PUT', path: '/end' });
    expect(asked[1]?.body.toString()).toBe('x');
    expect((await ask('POST', '/302')).status).toBe(302);
    expect((await ask('GET', '/302')).status).toBe(200);
  });

  it.each([
    ['ends in a circle', '/'],
    ['has no location', undefined],
    ['leaves HTTP', 'file:///etc/passwd'],
  ])('fails when a redirect %s', async (_, location) => {
    const { ask } = await peer(() => ({ status: 308, headers: location === undefined ? {} : { location } }));
    await expect(ask('GET')).rejects.toMatchObject({ code: 'redirect' });
  });

  it('refuses an answer that is too large', async () => {
    const { ask } = await peer(() => ({ status: 200, text: 'x'.repeat(limits.httpAnswerBytes + 1) }));
    await expect(ask('GET')).rejects.toMatchObject({ code: 'tooLarge' });
  });

  it('ends with its signal', async () => {
    const { ask, asked } = await peer(() => new Promise(() => undefined));
    const abort = new AbortController();
    const answer = ask('GET', '/', { signal: abort.signal });
    const failed = expect(answer).rejects.toMatchObject({ code: 'aborted' });
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(1);
    abort.abort();
    await failed;
  });
});

describe('an HTTP client that closes', () => {
  it('waits for what is in flight, and takes nothing new', async () => {
    const gate = newGate();
    const { ask, asked, client } = await peer(() => gate.opened.then(() => ({ status: 200 })));
    const answer = ask('GET');
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(1);
    const closed = client.close();
    await expect(ask('GET')).rejects.toThrow(HttpTrouble);
    gate.open();
    expect((await answer).status).toBe(200);
    await closed;
  });

  it('cuts what is in flight when it is told to hurry', async () => {
    const { ask, asked, client } = await peer(() => new Promise(() => undefined));
    const failed = expect(ask('GET')).rejects.toThrow(HttpTrouble);
    await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(1);
    await client.close(AbortSignal.abort());
    await failed;
  });
});
