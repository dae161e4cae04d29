import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/lib/core/deps.ts';
import { HttpClient } from '../../src/lib/http/http-client.ts';
import { type SendAsk, type SendResult, sendMessage } from '../../src/lib/tools/send/send-message.ts';
import { eventually, FakeClock } from '../helpers/fake-clock.ts';
import { realClock } from '../helpers/fake-deps.ts';
import { FakeRouter } from './fake-router.ts';

let router: FakeRouter;
let http: HttpClient;

beforeEach(async () => {
  router = await FakeRouter.start();
  http = new HttpClient();
});

afterEach(async () => {
  await http.close();
  await router.close();
});

const gets = (): number => router.calls.filter((call) => call === 'GET /transactions/0').length;

function send(
  recipients: readonly string[],
  more: Partial<SendAsk> = {},
  clock: Clock = realClock,
): Promise<readonly SendResult[]> {
  const ask: SendAsk = {
    url: new URL(router.url),
    sender: 'submission',
    mailFrom: 'alice@a.test',
    recipients: recipients.map((name) => `${name}@b.test`),
    submission: { kind: 'message', bytes: Buffer.from('Subject: x\r\n\r\nhi\r\n') },
    waitMs: 10_000,
    ...more,
  };
  return sendMessage({ http, clock }, ask);
}

describe('sending a message', () => {
  it.each([
    ['ok', 'delivered', 0],
    ['nouser', 'failed', 67],
    ['nohost', 'failed', 68],
    ['spam', 'failed', 69],
    ['given', 'failed', 75],
  ])('to %s@ ends as %s with exit status %i', async (name, state, exitCode) => {
    const [result] = await send([name]);
    expect(result).toMatchObject({ recipient: `${name}@b.test`, state, exitCode });
    expect(result?.transaction).toBe(`${router.url}/transactions/0`);
  });

  it.each([
    ['later', 'deferred'],
    ['silent', 'unknown'],
  ])('to %s@ is %s when the wait is over', async (name, state) => {
    const clock = new FakeClock();
    const results = send([name], { waitMs: 10_000 }, clock);
    // Asked again, or pausing before it is: then the first answer has been read.
    await eventually(() => gets() > 1 || (gets() === 1 && clock.sleeping > 1));
    await clock.advance(10_000);
    expect(await results).toMatchObject([{ state, exitCode: 75 }]);
  });

  it('does not wait when it is told not to', async () => {
    expect(await send(['silent'], { waitMs: 0 })).toMatchObject([{ state: 'submitted', exitCode: 0 }]);
    expect(router.calls).not.toContain('GET /transactions/0');
  });

  it('uploads the message once and reuses it for the other recipients', async () => {
    const results = await send(['ok', 'nouser', 'spam']);
    expect(results.map(({ exitCode }) => exitCode)).toEqual([0, 67, 69]);
    expect(router.calls.filter((call) => call.startsWith('PUT'))).toEqual(['PUT /transactions/0/body']);
    expect(router.transactions[0]?.uploads.get('body')?.toString()).toBe('Subject: x\r\n\r\nhi\r\n');
    expect(router.transactions[1]?.json.body).toEqual({ reuse_uri: `${router.url}/transactions/0/body` });
  });

  it('says who sends and under which tag', async () => {
    await send(['ok'], { tag: 'bulk' });
    expect(router.transactions[0]?.json).toEqual({
      mail_from: { m: 'alice@a.test' },
      rcpt_to: [{ m: 'ok@b.test' }],
      sender: { tag: 'bulk' },
    });
  });

  it('reports what the router has against one recipient and goes on with the others', async () => {
    const [bad, ok] = await send(['bad', 'ok']);
    expect(bad).toMatchObject({ state: 'error', exitCode: 65 });
    expect(bad?.reason).toBe('the router refused the message: 400 /rcpt_to/0/m: must be better');
    expect(ok).toMatchObject({ state: 'delivered' });
  });

  it('takes the answer of the far end when it made the upload pointless', async () => {
    router.uploadStatus = 409;
    const [refused, cancelled] = await send(['nouser', 'silent']);
    expect(refused).toMatchObject({ state: 'failed', exitCode: 67 });
    expect(cancelled).toMatchObject({ state: 'error', reason: 'the router refused the upload: 409 not now' });
    expect(router.calls.at(-1)).toBe('POST /transactions/1/cancel');
  });

  it('asks plainly when a hanging GET fails', async () => {
    router.failsHanging = true;
    expect(await send(['ok'])).toMatchObject([{ state: 'delivered' }]);
  });

  it('names an unknown sender', async () => {
    const [result] = await send(['ok'], { sender: 'nobody' });
    expect(result).toMatchObject({
      reason: 'the router refused the message: 404 no such sender: nobody',
      exitCode: 64,
    });
  });

  it('says what to do when no router answers, once it is clear', async () => {
    const { url } = router;
    await router.close();
    const results = await send(['ok', 'nouser'], { url: new URL(url) });
    expect(results.map(({ exitCode }) => exitCode)).toEqual([75, 75]);
    expect(results[0]?.reason).toMatch(
      /^cannot reach http:\/\/127\.0\.0\.1:\d+: connection refused\. Is a router running/,
    );
  });
});
