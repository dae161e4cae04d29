/** How verdicts combine. With a missing fact nothing is certain, so `unmet` stops a search where a definite answer would. */
import type { Matcher } from './matcher.ts';

/** The first verdict that is not `noMatch`. */
export function anyOf(each: readonly Matcher[]): Matcher {
  return (tx, rcpt) => {
    for (const matcher of each) {
      const verdict = matcher(tx, rcpt);
      if (verdict !== 'noMatch') return verdict;
    }
    return 'noMatch';
  };
}

/** The first verdict that is not `match`. */
export function allOf(each: readonly Matcher[]): Matcher {
  return (tx, rcpt) => {
    for (const matcher of each) {
      const verdict = matcher(tx, rcpt);
      if (verdict !== 'match') return verdict;
    }
    return 'match';
  };
}

/** What is unknown stays unknown. */
export function not(matcher: Matcher): Matcher {
  return (tx, rcpt) => {
    const verdict = matcher(tx, rcpt);
    if (verdict === 'unmet') return 'unmet';
    return verdict === 'match' ? 'noMatch' : 'match';
  };
}
