/** The gate of older configurations. */
import { expect, it } from 'vitest';
import { openChain } from '../helpers/chain.ts';

const session = (auth: boolean) => ({ smtpMeta: { ehloHost: 'h.test', esmtp: true, tls: true, auth } });

it.each([
  ['without options, nobody', {}, session(true), false],
  ['with smtp_auth, who has authenticated', { smtp_auth: true }, session(true), true],
  ['with smtp_auth, not who has not', { smtp_auth: true }, session(false), false],
  ['with smtp_auth, not who came without a session', { smtp_auth: true }, {}, false],
])('lets pass: %s', async (_, options, origin, passes) => {
  const chain = openChain({ steps: [{ filter: 'relay_auth', ...options }], origin });
  expect(await chain.mail('a@b.test')).toBe(passes ? '250 2.0.0 ok' : '550 5.7.1 not authorized');
  expect(chain.reached.mail).toHaveLength(passes ? 1 : 0);
});
