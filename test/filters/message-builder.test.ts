import { describe, expect, it } from 'vitest';
import type { ChainEnv, FilterDefinition, TxContext } from '../../src/lib/chain/filter.ts';
import { type Body, bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { messageBuilder } from '../../src/lib/filters/message-builder.ts';
import { builderBody } from '../../src/lib/message/builder-body.ts';
import { memoryLog, seededRng } from '../helpers/fake-deps.ts';

const rng = seededRng(1);
const accepted = reply(250, '2.0.0', 'ok');

async function pass(body: Body): Promise<{ answer: Response; sent: Body[] }> {
  const sent: Body[] = [];
  const filter = (messageBuilder as FilterDefinition).create({}, {} as ChainEnv)();
  const tx = { log: memoryLog() } as unknown as TxContext;
  const answer = await filter.data?.(tx, body, async (value) => {
    sent.push(value);
    return accepted;
  });
  return { answer: answer as Response, sent };
}

describe('the message_builder filter', () => {
  it('sends the message built from the JSON', async () => {
    const json = {
      headers: [['subject', 'hi']],
      text_body: [{ content_type: 'text/plain', content: { create_id: 'a' } }],
    };
    const { answer, sent } = await pass(
      await builderBody(json, new Map([['a', memoryBody(Buffer.from('x'))]]), { rng }),
    );
    expect(answer).toEqual(accepted);
    expect((await bodyBytes(sent[0] as Body)).toString()).toMatch(/^subject: hi\r\nMIME-Version: 1\.0\r\n/);
  });

  it('lets a plain message pass untouched', async () => {
    const body = memoryBody(Buffer.from('subject: x\r\n\r\n'));
    expect((await pass(body)).sent).toEqual([body]);
  });

  it.each([
    ['JSON that is none of ours', { text_body: 7 }],
    ['a missing part', { text_body: [{ content_type: 'text/plain', content: { create_id: 'gone' } }] }],
  ])('refuses %s for good, with a reason, and sends nothing', async (_, json) => {
    const { answer, sent } = await pass(await builderBody(json, new Map(), { rng }));
    expect([answer.code, answer.enhanced, sent.length]).toEqual([550, '5.6.0', 0]);
    expect(answer.text).toContain('/body/message_builder/text_body');
  });

  it('takes no options', () => {
    expect(messageBuilder.config.safeParse({ x: 1 }).success).toBe(false);
  });
});
