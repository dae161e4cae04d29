// @ts-check
/** The smallest of each kind, to begin with: a filter, a routing policy and a matcher that say hello. */
import { defineFilter, defineMatcher, defineRoutingPolicy, isOk, parseAddress, reply, z } from 'koukan';

/** Whether mail is for hello@ some domain. @param {string} address */
function isForHello(address) {
  return parseAddress(address)?.localPart.toLowerCase() === 'hello';
}

export const helloFilter = defineFilter({
  name: 'hello',
  summary: 'Logs a greeting for each message that the next hop has taken.',
  config: z.strictObject({
    greeting: z.string().min(1).default('hello').describe('What to say.'),
  }),
  // Once for each chain, then once for each transaction. A phase that is not here passes by itself.
  create:
    ({ greeting }) =>
    () => ({
      async data(tx, body, next) {
        const answer = await next(body);
        if (isOk(answer)) tx.log.info({ greeting, bytes: body.size }, 'hello');
        return answer;
      },
    }),
});

export const helloPolicy = defineRoutingPolicy({
  name: 'hello',
  summary: 'Routes mail for hello@, and refuses goodbye@.',
  create: () => (to) => {
    if (isForHello(to.address)) return { kind: 'route' };
    if (to.address.startsWith('goodbye@')) return { kind: 'reject', response: reply(550, '5.1.6', 'has left') };
    return { kind: 'pass' };
  },
});

export const helloMatcher = defineMatcher({
  name: 'hello',
  summary: 'The recipient is hello@.',
  reads: 'rcpt',
  perRcpt: true,
  create: () => (_, rcpt) => {
    if (rcpt === undefined) return 'unmet';
    return isForHello(rcpt.to.address) ? 'match' : 'noMatch';
  },
});
