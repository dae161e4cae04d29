/**
 * `authentication_results`: writes down what was found about the sender, for whoever reads the message later (RFC 8601), and takes away what
 * strangers wrote in our name. Put it after the checks, and before anything that passes the message on.
 */
import { z } from 'zod';
import { readSigned } from '../auth/dkim/read-signed.ts';
import { canonicalAddress } from '../auth/peer-address.ts';
import { withoutClaims } from '../auth/results/claims.ts';
import { methodResults } from '../auth/results/method-results.ts';
import { replaceHeader } from '../auth/results/replace-header.ts';
import { resultsField } from '../auth/results/results-field.ts';
import { defineFilter, type TxContext } from '../chain/filter.ts';
import { type Body, prefixedBody } from '../core/body.ts';
import { findParam } from '../core/mailbox.ts';
import { type Response, reply } from '../core/response.ts';
import { arcSignal } from '../core/signals/arc.ts';
import { dkimSignal } from '../core/signals/dkim.ts';
import { dmarcSignal } from '../core/signals/dmarc.ts';
import { remoteHostSignal } from '../core/signals/remote-host.ts';
import { spfSignal } from '../core/signals/spf.ts';
import { asciiDomain } from '../message/ascii-domain.ts';

const config = z.strictObject({
  authserv_id: z
    .string()
    .refine((text) => asciiDomain(text) !== undefined, {
      error: 'expected the name of this service, such as mx.example.com',
    })
    .transform((text) => asciiDomain(text) ?? text)
    .describe('Who says so: the name that this service, and nobody else, uses in Authentication-Results.'),
});

const headerTooLarge: Response = reply(554, '5.3.4', 'the header is too large to be checked');

export const authenticationResults = defineFilter<z.output<typeof config>>({
  name: 'authentication_results',
  summary:
    'Writes what the checks found about the sender into the header, and removes what others wrote there in our name.',
  config,
  create:
    ({ authserv_id: authservId }) =>
    () => ({
      async data(tx, body, next) {
        const read = await readSigned(body, () => ({ planned: undefined, hashes: [] }));
        // Behind what nobody reads there could be a field in our name.
        if (read === undefined) return headerTooLarge;
        const block = read.headerBlock;
        const field = Buffer.from(writeField(tx, authservId));
        return next(withField(body, block, withoutClaims(block, authservId), field));
      },
    }),
});

function withField(body: Body, before: Buffer, after: Buffer, field: Buffer): Body {
  if (after === before) return prefixedBody(field, body);
  return replaceHeader(body, before.length, Buffer.concat([field, after]));
}

function writeField({ mailFrom, remoteHost, signals, smtpMeta }: TxContext, authservId: string): string {
  const facts = {
    remoteHost: signals.get(remoteHostSignal),
    spf: signals.get(spfSignal),
    dkim: signals.get(dkimSignal),
    dmarc: signals.get(dmarcSignal),
    arc: signals.get(arcSignal),
    peerAddress: canonicalAddress(remoteHost?.host),
    ehloHost: smtpMeta?.ehloHost,
    mailFrom: mailFrom?.address ?? '',
  };
  const utf8 = mailFrom !== undefined && findParam(mailFrom, 'SMTPUTF8') !== undefined;
  return resultsField(authservId, methodResults(facts), utf8);
}
