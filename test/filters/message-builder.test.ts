import { expect, it } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { builderBody } from '../../src/lib/message/builder-body.ts';
import { openChain } from '../helpers/chain.ts';
import { seededRng } from '../helpers/fake-deps.ts';

it.each([
  ['before', [{ filter: 'message_builder' }, { filter: 'message_validation' }]],
  ['behind', [{ filter: 'message_validation' }, { filter: 'message_builder' }]],
])('a message from JSON is one message for every filter, with message_builder %s it', async (_, steps) => {
  const json = {
    headers: [['from', [{ address: 'alice@example.com' }]]],
    text_body: [{ content_type: 'text/plain', content: { create_id: 'a' } }],
  };
  const body = await builderBody(json, new Map([['a', memoryBody(Buffer.from('x'))]]), { rng: seededRng(1) });
  const chain = openChain({ steps });
  await chain.mail('alice@example.com');
  await chain.rcpt('bob@example.com');
  expect(await chain.exchange.data(body)).toMatchObject({ code: 250 });
  expect(chain.reached.data).toEqual([await bodyBytes(body)]);
  expect(Object.values(chain.published)).toEqual([
    { status: 1, received_header_count: 0, err: 'missing/multiple date' },
  ]);
});
