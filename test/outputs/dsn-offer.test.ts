/** The parameters of RFC 3461 at next hops that know them, and at ones that do not. */
import { describe, expect, it } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import { DsnOffers } from '../../src/lib/outputs/dsn-offer.ts';
import { boxOf } from '../helpers/dsn-mail.ts';
import { type FakeHop, fakeHop } from '../helpers/fake-hop.ts';

const FROM = boxOf('alice@a.test SIZE=5 RET=FULL');
const TO = boxOf('bob@b.test NOTIFY=NEVER');
const ask = { sender: 'router', rcptTimeoutMs: 1000, dataTimeoutMs: 1000, createAt: 'rcpt' } as const;
const unknown = reply(504, '5.5.4', 'not advertised by peer');
const refuses =
  (answer: Response) =>
  ({ params }: Mailbox): Response | undefined =>
    params.some(({ keyword }) => /RET|NOTIFY/.test(keyword)) ? answer : undefined;

async function deliver(offers: DsnOffers, hop: FakeHop, from = FROM, to = TO): Promise<readonly Response[]> {
  const exchange = offers.open(hop, () => hop.open(ask), from, to);
  const envelope = await Promise.all([exchange.mail(from), exchange.rcpt(to)]);
  const data = await exchange.data(memoryBody(Buffer.from('x')));
  await exchange.close();
  return [...envelope, data];
}

const keywords = (boxes: readonly Mailbox[]): readonly string[] =>
  boxes.flatMap(({ params }) => params.map(({ keyword }) => keyword));

describe('a next hop', () => {
  it.each([
    ['MAIL', { mail: refuses(unknown) }],
    ['RCPT', { rcpt: refuses(unknown) }],
    ['RCPT, in the words of a server', { rcpt: refuses(reply(555, '5.5.4', 'what?')) }],
  ])('that refuses the parameters at %s gets the message without them, and from then on at once', async (_, script) => {
    const offers = new DsnOffers();
    const hop = fakeHop(script);
    expect((await deliver(offers, hop)).map(({ code }) => code)).toEqual([250, 250, 250]);
    expect(hop.exchanges.map(({ mail, rcpts }) => keywords([...mail, ...rcpts]))).toEqual([
      ['SIZE', 'RET', 'NOTIFY'],
      ['SIZE'],
    ]);
    expect(hop.exchanges.map(({ isClosed }) => isClosed)).toEqual([true, true]);
    await deliver(offers, hop);
    expect(hop.exchanges).toHaveLength(3);
    expect(hop.delivered).toHaveLength(2);
  });

  it('that refuses the message for another reason is not asked again', async () => {
    const hop = fakeHop({ rcpt: () => reply(550, '5.1.1', 'no such user') });
    const exchange = new DsnOffers().open(hop, () => hop.open(ask), FROM, TO);
    const [, rcpt] = await Promise.all([exchange.mail(FROM), exchange.rcpt(TO)]);
    expect(rcpt.code).toBe(550);
    expect(hop.exchanges).toHaveLength(1);
  });

  it('that refuses something else as well has the last word', async () => {
    const hop = fakeHop({ mail: () => unknown });
    expect((await deliver(new DsnOffers(), hop))[0]).toEqual(unknown);
    expect(hop.exchanges).toHaveLength(2);
  });

  it('that says it knows them has the last word at once, and so has one that is not offered any', async () => {
    const knowing = { ...fakeHop({ mail: () => unknown }), offersDsn: true };
    await deliver(new DsnOffers(), knowing);
    expect(knowing.exchanges).toHaveLength(1);
    const plain = fakeHop({ mail: () => unknown });
    await deliver(new DsnOffers(), plain, boxOf('alice@a.test'), boxOf('bob@b.test'));
    expect(plain.exchanges).toHaveLength(1);
  });

  it('is left alone when the exchange was closed meanwhile', async () => {
    let refuse: (response: Response) => void = () => undefined;
    const hop = fakeHop({ rcpt: () => new Promise((resolve) => (refuse = resolve)) });
    const exchange = new DsnOffers().open(hop, () => hop.open(ask), FROM, TO);
    const answers = Promise.all([exchange.mail(FROM), exchange.rcpt(TO)]);
    await exchange.close();
    refuse(unknown);
    expect((await answers).map(({ code }) => code)).toEqual([450, 450]);
    expect(hop.exchanges).toHaveLength(1);
  });
});
