/** `received_header`: puts the trace line of this hop before the message (RFC 5321 §4.4). */
import { isIP } from 'node:net';
import { z } from 'zod';
import { defineFilter, type Filter, type TxContext } from '../chain/filter.ts';
import { prefixedBody } from '../core/body.ts';
import type { SmtpMeta } from '../core/envelope.ts';
import { findParam, isDomain } from '../core/mailbox.ts';
import { remoteHostSignal } from '../core/signals/remote-host.ts';
import { type ReceivedFacts, receivedHeader as writeReceived } from '../message/received.ts';

const config = z.strictObject({
  received_hostname: z
    .string()
    .refine(isDomain, { error: 'expected a host name' })
    .nullish()
    .describe('What this host calls itself in `by`; no such clause by default.'),
});

export const receivedHeader = defineFilter<z.output<typeof config>>({
  name: 'received_header',
  summary: 'Puts a Received header before the message.',
  config,
  create: (c, { deps }) => {
    const by = c.received_hostname ?? undefined;
    const filter: Filter = {
      data(tx, body, next) {
        const line = writeReceived(factsOf(tx, by, deps.clock.now()));
        return next(prefixedBody(Buffer.from(line), body));
      },
    };
    return () => filter;
  },
});

function factsOf(tx: TxContext, by: string | undefined, atMs: number): ReceivedFacts {
  const utf8 = tx.mailFrom !== undefined && findParam(tx.mailFrom, 'SMTPUTF8') !== undefined;
  const host = tx.remoteHost?.host ?? '';
  const remote = tx.signals.get(remoteHostSignal);
  const peerName = remote?.fcrdns === true ? remote.remoteHostname : undefined;
  const rcptTo = tx.rcptTo.length === 1 ? tx.rcptTo[0]?.address : undefined;
  return {
    ehloHost: tx.smtpMeta?.ehloHost,
    peerAddress: isIP(host) === 0 ? undefined : host,
    peerName,
    by,
    protocol: tx.smtpMeta === undefined ? 'X-RESTMTP' : protocolOf(tx.smtpMeta, utf8),
    rcptTo,
    utf8,
    atMs,
  };
}

/** RFC 3848, RFC 6531 §4.3. */
function protocolOf(meta: SmtpMeta, utf8: boolean): string {
  const base = utf8 ? 'UTF8SMTP' : meta.esmtp ? 'ESMTP' : 'SMTP';
  return `${base}${meta.tls ? 'S' : ''}${meta.auth ? 'A' : ''}`;
}
