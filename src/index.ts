/** The public API of the package, for programs that embed Koukan and for filters of one's own. */
export type { Body } from './lib/core/body.ts';
export type { Exchange } from './lib/core/exchange.ts';
export type { Mailbox } from './lib/core/mailbox.ts';
export type { Response } from './lib/core/response.ts';
