/** What DNS says of the peer's address: its name, and whether that name leads back to the address. */
import type { SignalType } from '../signal.ts';

export interface RemoteHost {
  readonly status: 'OK' | 'DNS_TEMP' | 'NOT_FOUND';
  /** The name's addresses include the peer's: the name can be believed. */
  readonly fcrdns: boolean;
  /** The believed name is the one the peer said in EHLO. */
  readonly ehloAlignment: boolean;
  /** As DNS has it. */
  readonly remoteHostname?: string;
}

const WIRE = { OK: 0, DNS_TEMP: 1, NOT_FOUND: 2 } as const satisfies Record<RemoteHost['status'], number>;

export const remoteHostSignal: SignalType<RemoteHost> = {
  wireName: 'koukan.remote_host_filter.RemoteHostFilter',
  name: 'remote_host',
  toJson: ({ status, fcrdns, ehloAlignment, remoteHostname }) => ({
    status: WIRE[status],
    fcrdns,
    ehlo_alignment: ehloAlignment,
    ...(remoteHostname !== undefined && { remote_hostname: remoteHostname }),
  }),
};
