/**
 * What is refused at load because it "can never fire" must not be able to: random chains of policies run with the check switched off, over
 * every combination of the facts they ask about, and no rule the check complains of is ever seen to match.
 */
import fc from 'fast-check';
import { beforeEach, expect, it, vi } from 'vitest';
import { verdictRecords } from '../../src/lib/core/signals/policy-outcome.ts';
import { type ChainAsk, chainOf, mistakesOf, type StepYaml } from '../helpers/chain.ts';
import { seededRng } from '../helpers/fake-deps.ts';

const check = vi.hoisted(() => ({ isOn: true }));
vi.mock('../../src/lib/filters/policy/never-fires.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/lib/filters/policy/never-fires.ts')>();
  return {
    neverFires: (...args: Parameters<typeof original.neverFires>) => (check.isOn ? original.neverFires(...args) : []),
  };
});
beforeEach(() => {
  check.isOn = true;
});

const leaf = fc.constantFrom<object>(
  { matcher: 'smtp_auth' },
  { matcher: 'smtp_tls' },
  { matcher: 'network_address', cidr: '192.0.2.0/24' },
  { matcher: 'invalid_mail_from' },
  { matcher: 'message_validation', max_received_headers: 0 },
  { matcher: 'message_validation', validity_threshold: 'NONE' },
  { matcher: 'invalid_rcpt_to' },
  { matcher: 'num_rcpts', max_rcpts: 1 },
  { matcher: 'num_rcpts', max_rcpts: 1000 },
  { matcher: 'policy_action', tag: 'a' },
  { matcher: 'policy_action', tag: 'b' },
  { matcher: 'policy_action', rule: 'r0' },
  { matcher: 'policy_action', rule: 'r1' },
);
const { match } = fc.letrec<{ match: object }>((tie) => ({
  match: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.record({ not: tie('match') }),
    fc.record({ any: fc.array(tie('match'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ all: fc.array(tie('match'), { minLength: 1, maxLength: 3 }) }),
  ),
}));
const action = fc.oneof(
  fc.constantFrom('LOG', 'REJECT', 'MATCH'),
  fc.array(fc.tuple(fc.constantFrom(0, 1), fc.constantFrom('LOG', 'REJECT', 'MATCH')), { minLength: 1, maxLength: 3 }),
);
const policy = fc.record(
  { tag: fc.constantFrom('a', 'b', 'c'), match, action, mode: fc.constant('PER_RCPT') },
  { requiredKeys: ['tag', 'action'] },
);

/** Everything that can be different about a transaction, for the matchers above. */
const hosts = [{ host: '192.0.2.1', port: 1 }, { host: '203.0.113.1', port: 1 }, undefined];
const rcptLists = [['b@c.test'], ['no'], ['b@c.test', 'no', 'd@c.test'], ['no', 'b@c.test'], ['b@c.test', 'b@c.test']];
const messages = ['subject: x\r\n\r\n', 'received: x\r\n\r\n'];

async function firedRules(ask: ChainAsk): Promise<ReadonlySet<string>> {
  const fired = new Set<string>();
  for (const flags of Array.from({ length: 8 }, (_, i) => i)) {
    for (const [i, remoteHost] of hosts.entries()) {
      const [auth, tls, isOdd] = [1, 2, 4].map((bit) => (flags & bit) !== 0);
      const smtpMeta = { ehloHost: 'x', esmtp: true, tls: tls === true, auth: auth === true };
      const open = chainOf({
        ...ask,
        origin: { smtpMeta, ...(remoteHost && { remoteHost }) },
        deps: { rng: seededRng(flags * 3 + i) },
      });
      for (const rcpts of rcptLists) {
        const chain = open();
        if ((await chain.mail(isOdd === true ? 'no' : 'a@b.test')).startsWith('2')) {
          const answers = await Promise.all(rcpts.map((rcpt) => chain.rcpt(rcpt)));
          if (answers.some((each) => each.startsWith('2'))) await chain.data(messages[(flags + i + rcpts.length) % 2]);
        }
        const matched = verdictRecords(chain.published).filter((verdict) => verdict.action !== 'UNMET');
        for (const { rule } of matched) fired.add(rule);
      }
    }
  }
  return fired;
}

it('a rule that is said never to fire never does', async () => {
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(policy, { minLength: 1, maxLength: 4 }), async (policies) => {
      const rules = policies.map((each, i): StepYaml => ({ filter: 'policy_action', name: `r${i}`, ...each }));
      const ask = { steps: [{ filter: 'message_validation' }, ...rules] };
      check.isOn = true;
      const mistakes = mistakesOf(ask);
      const never = mistakes.filter(({ message }) => message.includes('can never fire'));
      fc.pre(never.length > 0 && never.length === mistakes.length);
      refused += 1;
      check.isOn = false;
      const fired = await firedRules(ask);
      for (const { path } of never) expect([...fired]).not.toContain(`r${Number(path[1]) - 1}`);
    }),
    { numRuns: 60 },
  );
  expect(refused).toBeGreaterThan(0);
});
