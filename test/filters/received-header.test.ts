/** The trace line in a chain: what goes into it from the transaction. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { defineFilter } from '../../src/lib/chain/filter.ts';
import type { Origin } from '../../src/lib/core/envelope.ts';
import type { EsmtpParam } from '../../src/lib/core/mailbox.ts';
import { remoteHostSignal } from '../../src/lib/core/signals/remote-host.ts';
import { mistakesOf, openChain } from '../helpers/chain.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

/** Stands for the filter that looks the peer up. */
const peerNamed = (remoteHostname: string, fcrdns: boolean) =>
  defineFilter({
    name: 'peer',
    summary: 'sets the name of the peer',
    config: z.strictObject({}),
    produces: [remoteHostSignal],
    create: () => () => ({
      mail(tx, from, next) {
        tx.signals.set(remoteHostSignal, { status: 'OK', fcrdns, ehloAlignment: false, remoteHostname });
        return next(from);
      },
    }),
  });

const session = (flags: Partial<{ esmtp: boolean; tls: boolean; auth: boolean }> = {}): Origin => ({
  remoteHost: { host: '192.0.2.7', port: 12345 },
  smtpMeta: { ehloHost: 'mail.far.test', esmtp: true, tls: false, auth: false, ...flags },
});

interface Ask {
  readonly origin?: Origin;
  readonly rcpts?: readonly string[];
  readonly params?: readonly EsmtpParam[];
  readonly by?: string;
  readonly peer?: ReturnType<typeof peerNamed>;
}

/** The lines before the message. */
async function received({ origin = session(), rcpts = ['u@d.test'], params = [], by, peer }: Ask): Promise<string> {
  const step = { filter: 'received_header', ...(by !== undefined && { received_hostname: by }) };
  const chain = openChain({
    steps: [...(peer ? [{ filter: 'peer' }] : []), step],
    origin,
    deps: { clock: new FakeClock(Date.UTC(2026, 1, 3, 4, 5, 6)) },
    ...(peer && { extraFilters: [peer] }),
  });
  await chain.mail('a@b.test', ...params);
  for (const to of rcpts) await chain.rcpt(to);
  await chain.data('subject: hi\r\n\r\nbody\r\n');
  const message = String(chain.reached.data[0]);
  expect(message.endsWith('\r\nsubject: hi\r\n\r\nbody\r\n')).toBe(true);
  return message.slice(0, -'subject: hi\r\n\r\nbody\r\n'.length);
}

describe('received_header', () => {
  it('says from whom, by whom, with what, for whom and when', async () => {
    expect(await received({ by: 'mx.here.test' })).toBe(
      'Received: from mail.far.test ([192.0.2.7])\r\n' +
        '\tby mx.here.test\r\n' +
        '\twith ESMTP\r\n' +
        '\tfor u@d.test;\r\n' +
        '\tTue, 03 Feb 2026 04:05:06 +0000\r\n',
    );
  });

  it('names the peer only when its name leads back to it', async () => {
    expect(await received({ peer: peerNamed('host7.far.test.', true) })).toContain(
      'from mail.far.test (host7.far.test. [192.0.2.7])\r\n',
    );
    expect(await received({ peer: peerNamed('liar.test.', false) })).toContain('from mail.far.test ([192.0.2.7])\r\n');
  });

  it('names several recipients to none of them', async () => {
    expect(await received({ rcpts: ['u@d.test', 'v@d.test'] })).not.toContain('for ');
  });

  it('says X-RESTMTP when there was no SMTP session, and nothing of a peer that has no address', async () => {
    expect(await received({ origin: {} })).toBe(
      'Received: with X-RESTMTP\r\n\tfor u@d.test;\r\n\tTue, 03 Feb 2026 04:05:06 +0000\r\n',
    );
    const { remoteHost } = session();
    expect(await received({ origin: { ...(remoteHost && { remoteHost }) } })).toContain(
      'Received: from [192.0.2.7] ([192.0.2.7])\r\n\twith X-RESTMTP\r\n',
    );
  });

  it.each([
    [{ esmtp: false }, false, 'SMTP'],
    [{}, false, 'ESMTP'],
    [{ tls: true }, false, 'ESMTPS'],
    [{ auth: true }, false, 'ESMTPA'],
    [{ tls: true, auth: true }, false, 'ESMTPSA'],
    [{ tls: true }, true, 'UTF8SMTPS'],
    [{ tls: true, auth: true }, true, 'UTF8SMTPSA'],
  ])('for %j with SMTPUTF8 %s says %s', async (flags, utf8, protocol) => {
    const params = utf8 ? [{ keyword: 'smtputf8' }] : [];
    expect(await received({ origin: session(flags), params })).toContain(`\twith ${protocol}\r\n`);
  });

  it('refuses a host name that is none at load', () => {
    expect(mistakesOf({ steps: [{ filter: 'received_header', received_hostname: 'a b' }] })).toHaveLength(1);
  });
});
