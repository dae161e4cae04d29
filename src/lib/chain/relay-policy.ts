/** What a `policy_action` of a chain does to a stranger (see `stranger.ts`): rejects him for certain, or counts for the policies behind it. */
import type { ChainStepConfig } from '../config/router-config.ts';
import { readMatch } from '../filters/policy/match.ts';
import type { MatcherDefinition } from '../matchers/matcher.ts';
import { type Certainty, type EarlierPolicy, ofStranger, type StrangerFacts } from './stranger.ts';

export interface ReadPolicy extends EarlierPolicy {
  readonly rejects: boolean;
}

/** The options were checked before. */
export function readPolicy(
  { options }: ChainStepConfig,
  facts: StrangerFacts,
  earlier: readonly EarlierPolicy[],
  matchers: readonly MatcherDefinition[],
): ReadPolicy {
  const tag = String(options.tag);
  const rule = typeof options.name === 'string' ? options.name : tag;
  const perRcpt = options.mode === 'PER_RCPT';
  const node =
    options.match === undefined || options.match === null ? undefined : readMatch(options.match, [], matchers, []);
  const isUnread = node === undefined && options.match !== undefined && options.match !== null;
  const matches: Certainty = isUnread ? 'perhaps' : node === undefined ? 'yes' : ofStranger(node, facts, earlier);
  const actions = actionsOf(options.action);
  const isSettled = earlier.some((each) => each.tag === tag && each.perRcpt === perRcpt && each.settles);
  return {
    tag,
    rule,
    perRcpt,
    matches,
    // A fact that is missing settles the tag too, whatever the action; a log line does not.
    settles: matches === 'perhaps' || (matches === 'yes' && actions.some((action) => action !== 'LOG')),
    rejects: matches === 'yes' && !isSettled && actions.every((action) => action === 'REJECT'),
  };
}

/** Every action that can come of it; a weight of 0 never does. */
function actionsOf(action: unknown): readonly unknown[] {
  if (!Array.isArray(action)) return [action ?? 'MATCH'];
  return (action as readonly (readonly [number, unknown])[]).flatMap(([weight, each]) => (weight > 0 ? [each] : []));
}
