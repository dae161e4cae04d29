/** The message_parser filter in a real chain: who gets a parsed message, and what configuration is refused. */
import { describe, expect, it } from 'vitest';
import type { RestEndpointConfig } from '../../src/lib/config/router-config.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { mistakesOf, openChain, type StepYaml } from '../helpers/chain.ts';
import { fixture } from '../helpers/messages.ts';

const router = (options: object | null): StepYaml => ({
  filter: 'router',
  destination: { endpoint: 'app', ...(options !== null && { options }) },
});

const app: RestEndpointConfig = { name: 'app', endpoint: 'http://app.test/tx', sender: 's', options: {} };

async function parsed(options: object, message = fixture('plain')) {
  const chain = openChain({ steps: [router(options), { filter: 'message_parser' }], restEndpoints: [app] });
  await chain.mail('a@b.test');
  await chain.rcpt('c@d.test');
  await chain.exchange.data(memoryBody(message));
  // The message itself is passed on as it is, parsed or not.
  expect(chain.reached.data).toEqual([message]);
  return chain.tx.parsed;
}

describe('message_parser', () => {
  it('parses for a route that asks for it, and for no other', async () => {
    expect(await parsed({})).toBeUndefined();
    expect(await parsed({ send_filter_output: null })).toBeUndefined();
    expect((await parsed({ receive_parsing: null }))?.json).toMatchObject({
      text_body: [{ content_type: 'text/plain', content: { inline: 'Hello Bob,\n\nit shipped.\n' } }],
    });
  });

  it('takes up to max_inline bytes of text into the JSON, 65536 by default', async () => {
    const blobsOf = async (receive_parsing: object | null, text: string): Promise<number | undefined> =>
      (await parsed({ receive_parsing }, Buffer.from(`Subject: x\r\n\r\n${text}`)))?.blobs.size;
    expect(await blobsOf(null, 'x'.repeat(65_535))).toBe(0);
    expect(await blobsOf({}, 'x'.repeat(65_536))).toBe(1);
    expect(await blobsOf({ max_inline: null }, 'x')).toBe(0);
    expect(await blobsOf({ max_inline: 2 }, 'xx')).toBe(1);
    expect(await blobsOf({ max_inline: 0 }, 'x')).toBe(1);
  });

  it('lets the worst of messages through', async () => {
    expect((await parsed({ receive_parsing: null }, fixture('poison')))?.json).toHaveProperty('parts');
    expect((await parsed({ receive_parsing: null }, Buffer.alloc(0)))?.json).toHaveProperty('parts');
  });

  it('does nothing without a route', async () => {
    const chain = openChain({ steps: [{ filter: 'message_parser' }] });
    await chain.mail('a@b.test');
    await chain.rcpt('c@d.test');
    expect(await chain.data()).toMatch(/^250/);
    expect(chain.tx.parsed).toBeUndefined();
  });
});

describe('receive_parsing', () => {
  const steps = (options: object | null): StepYaml[] => [router(options), { filter: 'message_parser' }];

  it.each<[unknown, readonly string[]]>([
    [{ max_inline: -1 }, ['max_inline']],
    [{ max_inline: 1.5 }, ['max_inline']],
    [{ max_inline: '64k' }, ['max_inline']],
    [{ max_inline: limits.parsedInlineBytes + 1 }, ['max_inline']],
    [{ maxinline: 1 }, []],
    [true, []],
    ['yes', []],
    [[], []],
  ])('%j is refused at load, with its place', (value, below) => {
    expect(mistakesOf({ steps: steps({ receive_parsing: value }), restEndpoints: [app] })).toMatchObject([
      {
        path: ['chain', 0, 'destination', 'options', 'receive_parsing', ...below],
        message: expect.stringMatching(/max_inline/),
      },
    ]);
  });

  it('is checked where a rest_endpoint says it, too, and what the destination says counts', () => {
    const restEndpoints = [{ ...app, options: { receive_parsing: 5 } }];
    expect(mistakesOf({ steps: steps(null), restEndpoints })).toMatchObject([
      { path: ['chain', 0, 'destination', 'endpoint'], message: expect.stringContaining("rest_endpoint 'app'") },
    ]);
    expect(mistakesOf({ steps: steps({ receive_parsing: null }), restEndpoints })).toEqual([]);
  });
});
