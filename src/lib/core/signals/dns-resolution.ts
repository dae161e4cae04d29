/** What `dns_resolution` found out: whether the domains of the envelope exist, and whether the route's hosts have addresses. */
import type { Mailbox } from '../mailbox.ts';
import type { SignalType } from '../signal.ts';

/** Found; the domain, its mail hosts or their addresses do not exist, or it takes no mail; not known for now. */
export type DnsResult = 'OK' | 'NX' | 'TEMP';

export interface DnsResolution {
  /** Absent for the null reverse-path, which has no domain. */
  readonly mailResult?: DnsResult;
  /** One for each recipient so far, in the order they came. */
  readonly rcptResults: readonly { readonly to: Mailbox; readonly result: DnsResult }[];
  /**
   * Of the route's hosts. When it is NX or TEMP the transaction's `resolution` is an empty list: no policy has to judge that, since the
   * output answers by itself that there is nowhere to go.
   */
  readonly resolutionResult?: DnsResult;
}

const WIRE = { OK: 0, NX: 1, TEMP: 2 } as const satisfies Record<DnsResult, number>;

export const dnsResolutionSignal: SignalType<DnsResolution> = {
  wireName: 'koukan.mx_resolution.DnsResolutionFilter',
  name: 'dns_resolution',
  toJson: ({ mailResult, rcptResults, resolutionResult }) => ({
    ...(mailResult !== undefined && { mail_from_result: WIRE[mailResult] }),
    rcpt_to_result: rcptResults.map(({ result }) => WIRE[result]),
    ...(resolutionResult !== undefined && { resolution_result: WIRE[resolutionResult] }),
  }),
};
