/** Lists that are replaced, never changed, and have one element nearly always: most messages have one recipient, who goes to one host. */

/** The list with one more at its end. The first one is no spread: that would make room for sixteen more. */
export function added<T>(list: readonly T[], item: T): readonly T[] {
  return list.length === 0 ? [item] : [...list, item];
}
