/** An exploder over children that answer as the test says, on a clock that stands still. */
import type { Body } from '../../src/lib/core/body.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import type { Origin } from '../../src/lib/core/envelope.ts';
import type { Exchange } from '../../src/lib/core/exchange.ts';
import { type Mailbox, mailbox } from '../../src/lib/core/mailbox.ts';
import type { Response } from '../../src/lib/core/response.ts';
import { exploder } from '../../src/lib/outputs/exploder.ts';
import { openOutput } from './chain-env.ts';
import { type FakeChildAnswers, FakeChildren } from './fake-children.ts';
import { FakeClock } from './fake-clock.ts';
import { fakeDeps, type LogLine, memoryLog } from './fake-deps.ts';
import { sender } from './fake-exchange.ts';

export const hello: Body = memoryBody(Buffer.from('hello'));
export const rcpts: readonly [Mailbox, Mailbox, Mailbox] = [
  mailbox('b@to.test'),
  mailbox('c@to.test'),
  mailbox('d@to.test'),
];

export interface Exploding {
  readonly exchange: Exchange;
  readonly children: FakeChildren;
  readonly clock: FakeClock;
  readonly log: readonly LogLine[];
  readonly origin: Origin;
}

export interface ExplodeAsk {
  readonly msa?: boolean;
  readonly options?: object;
}

/** One child for each of `answers`. */
export function explode(
  { msa = false, options = {} }: ExplodeAsk,
  ...answers: readonly (FakeChildAnswers | 'full')[]
): Exploding {
  const clock = new FakeClock();
  const log = memoryLog();
  const children = new FakeChildren(...answers);
  const origin = {
    remoteHost: { host: '192.0.2.1', port: 2525 },
    localHost: { host: '192.0.2.2', port: 25 },
    smtpMeta: { ehloHost: 'client.test', esmtp: true, tls: false, auth: false },
  };
  const deps = fakeDeps({ clock, log });
  const { exchange } = openOutput(exploder, { options: { msa, ...options }, deps, children, origin });
  return { exchange, children, clock, log: log.lines, origin };
}

/** MAIL and as many RCPT as are wanted, one after the other; the answers to RCPT. */
export async function envelope(exchange: Exchange, count: number): Promise<Response[]> {
  await exchange.mail(sender);
  const replies: Response[] = [];
  for (const rcpt of rcpts.slice(0, count)) replies.push(await exchange.rcpt(rcpt));
  return replies;
}

export const codes = (replies: readonly Response[]): number[] => replies.map(({ code }) => code);
