import { describe, expect, it } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { builderBody, isBuilderBody } from '../../src/lib/message/builder-body.ts';
import { seededRng } from '../helpers/fake-deps.ts';
import { readMime } from './mime-reader.ts';

const deps = { rng: seededRng(1) };
const json = { text_body: [{ content_type: 'text/plain', content: { create_id: 'a' } }] };

describe('a body that came as message-builder JSON', () => {
  it('reads as the built message, so nobody can send anything else', async () => {
    const body = await builderBody(json, new Map([['a', memoryBody(Buffer.from('hello'))]]), deps);
    const bytes = await bodyBytes(body);
    expect(readMime(bytes).content.toString()).toBe('hello');
    expect(bytes.length).toBe(body.size);
    expect(isBuilderBody(body)).toBe(true);
    expect(isBuilderBody(memoryBody(bytes))).toBe(false);
  });

  it('is a refusal, and cannot be read, when it cannot be built', async () => {
    const body = await builderBody(json, new Map(), deps);
    expect(body.refusal).toEqual({
      code: 550,
      enhanced: '5.6.0',
      text: 'invalid message_builder: /body/message_builder/text_body/0/content: the part is missing',
    });
    await expect(bodyBytes(body)).rejects.toThrow('cannot be built');
  });

  it('cannot be larger than a message may be, also when its parts were uploaded long ago', async () => {
    const size = limits.messageBytes / 2 + 1;
    const large = { ...memoryBody(Buffer.from('x')), size };
    const two = { text_body: ['a', 'b'].map((id) => ({ content_type: 'text/plain', content: { create_id: id } })) };
    const parts = new Map([
      ['a', large],
      ['b', large],
    ]);
    const body = await builderBody(two, parts, deps);
    expect(body.refusal?.text).toBe(
      `invalid message_builder: /body/message_builder: all parts together are larger than ${limits.messageBytes} bytes`,
    );
  });

  it('keeps its parts alive as long as it is retained', async () => {
    let kept = 0;
    const part = {
      ...memoryBody(Buffer.from('x')),
      retain: () => {
        kept += 1;
        return () => {
          kept -= 1;
        };
      },
    };
    const release = (await builderBody(json, new Map([['a', part]]), deps)).retain();
    expect(kept).toBe(1);
    release();
    expect(kept).toBe(0);
  });
});
