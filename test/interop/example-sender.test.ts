/** The original's example sender with our router. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Koukan, startKoukan } from './koukan.ts';
import { sendMessage } from './send-message.ts';

let koukan: Koukan;

beforeAll(async () => {
  koukan = await startKoukan();
});
afterAll(() => koukan.stop());

const app = (): string => `${koukan.router}/senders/app`;
const bodiesFor = (rcpt: string): string[] =>
  koukan.sink.messages.filter(({ rcptTo }) => rcptTo[0]?.address === rcpt).map(({ body }) => body.toString());

describe('the example sender of the original, with our router', () => {
  it('builds a message with an upload for the first recipient and reuses it for the second', async () => {
    const bytes = Buffer.alloc(5000, 'attachment ');
    const sent = await sendMessage({
      sender: app(),
      mailFrom: 'ann@app.test',
      rcpts: ['one@dest.test', 'two@dest.test'],
      headers: [['from', [{ address: 'ann@app.test', display_name: 'Ann' }]]],
      parts: [{ type: 'image/png', id: 'hero', bytes }],
    });
    expect(sent.map(({ verdict }) => verdict)).toEqual(['success', 'success']);
    for (const rcpt of ['one@dest.test', 'two@dest.test']) {
      const [text = ''] = bodiesFor(rcpt);
      expect(text).toContain('from: Ann <ann@app.test>\r\n');
      expect(text).toContain('date: Thu, 01 Jan 2026 00:00:00 +0000\r\n');
      expect(text.replaceAll('\r\n', '')).toContain(bytes.toString('base64'));
    }
  });

  it('uploads a whole message once and reuses it', async () => {
    const message = Buffer.from('Subject: whole\r\n\r\nhello\r\n');
    const rcpts = ['three@dest.test', 'four@dest.test'];
    const sent = await sendMessage({ sender: app(), mailFrom: 'ann@app.test', rcpts, message });
    expect(sent.map(({ verdict }) => verdict)).toEqual(['success', 'success']);
    expect(rcpts.map((rcpt) => bodiesFor(rcpt)[0]?.endsWith(message.toString()))).toEqual([true, true]);
  });

  it('hears of a refused recipient although it uploads after the refusal', async () => {
    const message = Buffer.from('Subject: refused\r\n\r\nhello\r\n');
    const [sent] = await sendMessage({
      sender: app(),
      mailFrom: 'ann@app.test',
      rcpts: ['rcptperm@dest.test'],
      message,
    });
    expect(sent?.verdict).toBe('failure');
  });

  it('follows a message that is tried again, to the end', async () => {
    const [sent] = await sendMessage({ sender: app(), mailFrom: '', rcpts: ['datatemp@dest.test'] });
    expect(sent).toMatchObject({
      verdict: 'final',
      json: { attempt_count: 3, final_attempt_reason: 'retry policy max attempts', data_response: { code: 450 } },
    });
  });

  it('comes to an end with a tag that does not retry, and through a sender that explodes', async () => {
    const oneshot = { sender: app(), tag: 'oneshot', mailFrom: 'ann@app.test', rcpts: ['datatemp@dest.test'] };
    expect(await sendMessage(oneshot)).toMatchObject([
      { verdict: 'final', json: { final_attempt_reason: 'no retry' } },
    ]);
    const ingress = `${koukan.router}/senders/ingress`;
    const message = Buffer.from('Subject: x\r\n\r\nhello\r\n');
    const exploding = {
      sender: ingress,
      tag: 'smtp',
      mailFrom: 'ann@app.test',
      rcpts: ['datatemp@dest.test'],
      message,
    };
    expect(await sendMessage(exploding)).toMatchObject([{ verdict: 'final' }]);
  });
});
