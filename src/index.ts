/** The public API of the package, for programs that embed Koukan and for filters of one's own. */
export type { Body } from './lib/core/body.ts';
export type { Exchange } from './lib/core/exchange.ts';
export type { Mailbox } from './lib/core/mailbox.ts';
export type { Response } from './lib/core/response.ts';
export type { ReceivedEnvelope, ReceivedMessage, ReceiverPhase } from './lib/receiver/received-message.ts';
export { createReceiver, type Receiver, type ReceiverOptions } from './lib/receiver/receiver.ts';
