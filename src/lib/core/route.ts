/** Where a recipient goes, as a routing filter decided: the next hop, how to address it, and which hosts to offer the message to. */
import type { HostPort } from './envelope.ts';

export interface Route {
  /** The next hop's create URL: `http://gateway:8001/senders/router/transactions`. Absent: the place exists but is not a hop (dry run). */
  readonly endpoint?: string;
  /** What the create request says of itself (wire: `sender`). */
  readonly sender?: string;
  readonly tag?: string;
  /** Hosts in order of preference, as names or addresses; a gateway is offered one at a time. Empty: the hop needs none. */
  readonly hosts: readonly HostPort[];
  /** `receive_parsing`, `send_filter_output`, …: asks of the output; never shared between routes. */
  readonly options: Readonly<Record<string, unknown>>;
}
