/** What `add_route` does with a copy, and what the client hears of it. */
import { describe, expect, it } from 'vitest';
import type { SenderFamily } from '../../src/lib/config/router-config.ts';
import { bodyBytes } from '../../src/lib/core/body.ts';
import { reply } from '../../src/lib/core/response.ts';
import { type ChainAsk, chainOf, mistakesOf, type OpenedChain } from '../helpers/chain.ts';
import { type FakeChildAnswers, FakeChildren } from '../helpers/fake-children.ts';

const archive = {
  name: 'archive',
  outputChain: 'archive',
  retry: true,
  notification: false,
  upstreamSender: 'archive',
};
const senders = new Map<string, SenderFamily>([
  ['archive', { untagged: archive, tags: new Map([['eu', { ...archive, tag: 'eu' }]]) }],
]);

const waiting = { filter: 'add_route', sender: 'archive', tag: 'eu' };
const stored = { ...waiting, store_and_forward: true };

function open(
  step: ChainAsk['steps'][number],
  replies: ChainAsk['replies'],
  ...answers: (FakeChildAnswers | 'full')[]
) {
  const children = new FakeChildren(...answers);
  const chain = chainOf({ steps: [step], senders, children, ...(replies && { replies }) })();
  return { chain, children };
}

async function send(chain: OpenedChain, ...rcpts: string[]): Promise<readonly string[]> {
  const answers = [await chain.mail('ann@a.test')];
  for (const rcpt of rcpts.length === 0 ? ['bob@b.test'] : rcpts) answers.push(await chain.rcpt(rcpt));
  if (answers.slice(1).some((answer) => answer.startsWith('2'))) answers.push(await chain.data('x: y\r\n\r\nhi\r\n'));
  await chain.exchange.close();
  return answers;
}

describe('a copy that is waited for', () => {
  it('goes through the other sender’s chain with the same envelope and message, and the message goes on', async () => {
    const { chain, children } = open(waiting, {}, {});
    expect(await send(chain)).toEqual(['250 2.0.0 ok', '250 2.0.0 ok', '250 2.0.0 ok']);
    expect(children.asks).toMatchObject([{ sender: 'archive', tag: 'eu', parentId: 'tx1', mayPark: false }]);
    const copy = children.opened[0]?.exchange;
    expect(copy?.asked).toEqual(['MAIL ann@a.test', 'RCPT bob@b.test', 'DATA 12', 'CLOSE']);
    expect(chain.reached.data).toHaveLength(1);
  });

  it('that is refused refuses the recipient in the copy’s own words', async () => {
    const { chain } = open(waiting, {}, { rcpt: reply(550, '5.1.1', 'archive is full') });
    expect((await send(chain))[1]).toBe('550 5.1.1 archive is full (add_route)');
  });

  it('whose MAIL is refused refuses the recipient too', async () => {
    const { chain } = open(waiting, {}, { mail: reply(451, '4.3.0', 'down') });
    expect((await send(chain))[1]).toBe('451 4.3.0 down (add_route)');
  });

  it('that fails at DATA keeps the message from going on, so that a retry sends each once', async () => {
    const { chain } = open(waiting, {}, { data: reply(452, '4.3.1', 'no space') });
    expect((await send(chain)).at(-1)).toBe('452 4.3.1 no space (add_route)');
    expect(chain.reached.data).toEqual([]);
  });

  it('is cancelled when the recipient itself is refused', async () => {
    const { chain, children } = open(waiting, { rcpt: { 'bob@b.test': reply(550, '5.1.1', 'who?') } }, {});
    expect(await send(chain)).toEqual(['250 2.0.0 ok', '550 5.1.1 who?']);
    expect(children.opened[0]?.exchange.asked.slice(0, 3)).toEqual(['MAIL ann@a.test', 'RCPT bob@b.test', 'CLOSE']);
  });

  it('is made for each recipient, and finds no room now and then', async () => {
    const { chain, children } = open(waiting, {}, {}, 'full', {});
    const answers = await send(chain, 'a@b.test', 'b@b.test', 'c@b.test');
    expect(answers[2]).toBe('451 4.3.2 too many transactions at work, try again later');
    expect(children.opened).toHaveLength(2);
    expect(answers.at(-1)).toBe('250 2.0.0 ok');
  });
});

describe('a stored copy', () => {
  it('is stored before the message goes on, and delivered once that was taken', async () => {
    const { chain, children } = open(stored, {});
    expect((await send(chain, 'a@b.test', 'b@b.test')).at(-1)).toBe('250 2.0.0 ok');
    expect(children.copies).toMatchObject([
      { sender: 'archive', tag: 'eu', parentId: 'tx1', mailFrom: { address: 'ann@a.test' }, fate: 'delivered' },
    ]);
    const [copy] = children.copies;
    expect(copy?.rcptTo.map(({ address }) => address)).toEqual(['a@b.test', 'b@b.test']);
    if (copy !== undefined) expect((await bodyBytes(copy.body)).toString()).toBe('x: y\r\n\r\nhi\r\n');
  });

  it('leaves out recipients that were refused', async () => {
    const { chain, children } = open(stored, { rcpt: { 'a@b.test': reply(550, '5.1.1', 'who?') } });
    await send(chain, 'a@b.test', 'b@b.test');
    expect(children.copies[0]?.rcptTo.map(({ address }) => address)).toEqual(['b@b.test']);
  });

  it('is dropped when the message is refused, because whoever has it will send it again', async () => {
    const { chain, children } = open(stored, { data: reply(451, '4.3.0', 'later') });
    expect((await send(chain)).at(-1)).toBe('451 4.3.0 later');
    expect(children.copies[0]?.fate).toBe('dropped');
  });

  it('that cannot be stored keeps the message with its client', async () => {
    const { chain, children } = open(stored, {});
    children.commit = () => Promise.reject(new Error('disk full'));
    expect((await send(chain)).at(-1)).toBe('451 4.3.0 a copy of the message could not be stored');
    expect(chain.reached.data).toEqual([]);
  });
});

describe('at load', () => {
  it('an unknown sender or tag is a mistake with the nearest name', () => {
    expect(mistakesOf({ steps: [{ ...waiting, sender: 'archiv' }], senders })).toMatchObject([
      { path: ['chain', 0, 'sender'], message: "there is no sender 'archiv'", suggestion: 'archive' },
    ]);
    expect(mistakesOf({ steps: [{ ...waiting, tag: 'ue' }], senders })).toMatchObject([
      { path: ['chain', 0, 'tag'], message: "the sender 'archive' has no tag 'ue'" },
    ]);
  });
});
