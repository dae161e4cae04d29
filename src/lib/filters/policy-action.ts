/**
 * `policy_action`: the one filter that judges. A policy matches over facts and acts: it logs, rejects, or marks the transaction for later
 * policies. Policies with the same tag are alternatives: the first that matches settles it, and one whose facts are missing blocks the
 * rest, for the transaction or, with `mode: PER_RCPT`, for that recipient.
 */
import { z } from 'zod';
import { defineFilter } from '../chain/filter.ts';
import { ConfigError } from '../config/source.ts';
import type { Rng } from '../core/deps.ts';
import { type Response, responseFromText } from '../core/response.ts';
import { type PolicyAction, policyOutcomeSignal } from '../core/signals/policy-outcome.ts';
import { judgesTransactions, type Policy, RcptJudge } from './policy/judge.ts';
import { buildMatch, leavesOf } from './policy/match.ts';
import { type PlanAsk, planPolicy, policyFor } from './policy/plan.ts';

const action = z.enum(['LOG', 'REJECT', 'MATCH']);
const weighted = z
  .array(z.tuple([z.number().min(0), action]))
  .refine((list) => list.some(([weight]) => weight > 0), { error: 'at least one weight must be more than 0' });
const text = z.string().regex(/^[^\u0000-\u001f\u007f]+$/u, { error: 'must be one line of text' });

const config = z.strictObject({
  tag: text.describe('What the policy is about; policies of one tag are alternatives.'),
  name: text.nullish().describe('Name of this rule in logs and `filter_output`; the tag by default.'),
  match: z
    .unknown()
    .optional()
    .describe('When it acts: {matcher: NAME, …}, {any: […]}, {all: […]}, {not: {…}}; always by default.'),
  mode: z.enum(['PER_RCPT']).nullish().describe('Judge each recipient by itself.'),
  action: z
    .union([action, weighted])
    .default('MATCH')
    .describe('LOG, REJECT, MATCH, or a list of [weight, action] to draw from.'),
  code: z.int().min(400).max(599).default(550).describe('SMTP code of a rejection.'),
  message: text.nullish().describe('Text of a rejection, with its enhanced code.'),
});

type PolicyConfig = z.output<typeof config>;

export const policyAction = defineFilter<PolicyConfig>({
  name: 'policy_action',
  summary: 'Judges the transaction or each recipient by a match over facts: log, reject, or mark.',
  config,
  produces: [policyOutcomeSignal],
  policy: (c, env) => policyFor(askOf(c), env),
  create: (c, env) => {
    const ask = askOf(c);
    const { node, phase, mistakes: found } = planPolicy(ask, env);
    const mistakes = [...found];
    const test = node === undefined ? (): 'match' => 'match' : buildMatch(node, env, mistakes);
    if (mistakes.length > 0) throw new ConfigError(mistakes);
    const draw = drawFrom(c.action, env.deps.rng);
    const policy: Policy = {
      tag: ask.tag,
      rule: ask.rule,
      test,
      draw,
      rejection: rejectionOf(c, ask.rule),
      place: env.place,
    };
    if (!ask.perRcpt) return judgesTransactions(policy, phase);
    const isCounted = node !== undefined && leavesOf(node).some(({ definition }) => definition.ignoresCount !== true);
    return () => new RcptJudge(policy, isCounted);
  },
});

function askOf(c: PolicyConfig): PlanAsk {
  return {
    tag: c.tag,
    rule: c.name ?? c.tag,
    match: c.match ?? undefined,
    perRcpt: c.mode === 'PER_RCPT',
    actions: actionsOf(c),
  };
}

/** Those that can be drawn. */
function actionsOf({ action: given }: PolicyConfig): ReadonlySet<PolicyAction> {
  if (typeof given === 'string') return new Set([given]);
  return new Set(given.filter(([weight]) => weight > 0).map(([, drawn]) => drawn));
}

function rejectionOf(c: PolicyConfig, rule: string): Response {
  // RFC 3463 §2: the class of the enhanced code is that of the reply.
  return responseFromText(c.code, c.message ?? `${c.code < 500 ? 4 : 5}.6.0 message rejected ${rule}`);
}

function drawFrom(actions: PolicyConfig['action'], rng: Rng): () => PolicyAction {
  if (typeof actions === 'string') return () => actions;
  const sum = actions.reduce((total, [weight]) => total + weight, 0);
  return () => {
    let left = rng.uniform() * sum;
    for (const [weight, drawn] of actions) {
      left -= weight;
      if (left < 0) return drawn;
    }
    return actions.findLast(([weight]) => weight > 0)?.[1] ?? 'MATCH';
  };
}
