/** What `arc_check` found out about the Authenticated Received Chain of a message (RFC 8617): who vouches for what it was before. */
import type { SignalType } from '../signal.ts';

/** RFC 8617 §4.4, and `temperror` while a key cannot be looked up. */
export type ArcResult = 'none' | 'pass' | 'fail' | 'temperror';

/** One hop that sealed the message. */
export interface ArcSealer {
  /** 1 is the first. */
  readonly instance: number;
  /** `d=` of its seal, as DNS has it. */
  readonly domain: string;
  readonly selector: string;
}

export interface Arc {
  readonly result: ArcResult;
  /** Why it fails, for people. */
  readonly comment?: string;
  /** In order; empty without a chain, or when it is too broken to say. */
  readonly sealers: readonly ArcSealer[];
  /**
   * The first instance from which on nothing was changed, of a chain that passes; 0: nothing was changed since the first sealed it
   * (RFC 8617 §5.2).
   */
  readonly oldestPass?: number;
  /** What the first of the sealers saw: its ARC-Authentication-Results without instance, unfolded; of a chain that passes. */
  readonly firstResults?: string;
}

export const arcSignal: SignalType<Arc> = {
  wireName: 'koukan.arc_check_filter.ArcCheckFilter',
  name: 'arc_check',
  toJson: (found) => ({
    result: found.result,
    sealers: found.sealers,
    ...(found.oldestPass !== undefined && { oldest_pass: found.oldestPass }),
    ...(found.firstResults !== undefined && { first_results: found.firstResults }),
  }),
};
