/** Whose due work stays where it is for now, because they have their share of the places already. */
export interface PassedOver {
  /** Senders, with their tags, as `shareOf` names them. */
  readonly shares: readonly string[];
  /** What one of them has for one domain, as `laneOf` names it. */
  readonly lanes: readonly string[];
}

export const NOBODY: PassedOver = { shares: [], lanes: [] };
