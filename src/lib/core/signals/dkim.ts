/** What `dkim_check` found out about the DKIM signatures of a message (RFC 6376): one fact for each signature, in header order. */
import type { SignalType } from '../signal.ts';

/** What a policy asks about: the four words of the original. */
export type DkimStatus = 'temp_err' | 'dkim_pass' | 'fail' | 'unknown_algo';

/** How the signing domain relates to the author's: the same, in the same organisation, or neither. */
export type DkimAlignment = 'domain' | 'same_sld' | 'other';

export interface DkimSignature {
  readonly status: DkimStatus;
  /** The finer words of RFC 8601 §2.7.1. */
  readonly result: 'pass' | 'fail' | 'neutral' | 'policy' | 'temperror' | 'permerror';
  /** Why it is no pass, for people. */
  readonly comment?: string;
  /** The signing domain (`d=`) as DNS has it, lower case; `''` when the field names none. */
  readonly domain: string;
  /** `s=`. */
  readonly selector: string;
  /** `i=`, the agent or user signed for. */
  readonly identity?: string;
  /** `a=`, lower case. */
  readonly algorithm: string;
  readonly alignment: DkimAlignment;
  /** The names of `h=`, lower case. */
  readonly headers: readonly string[];
  /** `t=` and `x=`, in seconds since 1970. */
  readonly timestamp?: number;
  readonly expiration?: number;
  /** Size of the public key, once it was found. */
  readonly keyBits?: number;
  /** The first characters of `b=`, which tell signatures of one domain apart (RFC 6008). */
  readonly signaturePrefix: string;
  /** All other tags as they were written. */
  readonly tags: Readonly<Record<string, string>>;
}

export interface DkimCheck {
  readonly signatures: readonly DkimSignature[];
  /** Signatures beyond `limits.dkimSignatures`, which nobody looked at. */
  readonly uncheckedCount: number;
}

const STATUS = { temp_err: 0, dkim_pass: 1, fail: 2, unknown_algo: 3 } as const satisfies Record<DkimStatus, number>;
const ALIGNMENT = { domain: 0, same_sld: 1, other: 2 } as const satisfies Record<DkimAlignment, number>;

export const dkimSignal: SignalType<DkimCheck> = {
  wireName: 'koukan.dkim_check_filter.DkimCheckFilter',
  name: 'dkim_check',
  toJson: ({ signatures }) => ({
    results: signatures.map((each) => ({
      status: STATUS[each.status],
      // The original leaves 0 out here.
      ...(each.alignment !== 'domain' && { alignment: ALIGNMENT[each.alignment] }),
      ...(each.domain !== '' && { domain: each.domain }),
      headers: each.headers,
      ...(each.timestamp !== undefined && { timestamp: each.timestamp }),
      ...(each.expiration !== undefined && { expiration: each.expiration }),
      tags: each.tags,
    })),
  }),
};
