/**
 * `dmarc_check`: whether the domain of the From address stands behind the message, and what it asks to be done if not (RFC 9989). It builds on
 * what `spf_check` and `dkim_check` found, and never rejects.
 */
import { z } from 'zod';
import { boundedDns } from '../auth/bounded-dns.ts';
import { checkDmarc } from '../auth/dmarc/check-dmarc.ts';
import { defineFilter } from '../chain/filter.ts';
import { ConfigError } from '../config/source.ts';
import { cancelledReply } from '../core/precondition.ts';
import { dkimSignal } from '../core/signals/dkim.ts';
import { dmarcSignal } from '../core/signals/dmarc.ts';
import { spfSignal } from '../core/signals/spf.ts';
import { headerFromDomains } from '../message/header-from.ts';
import { readHeaderBlock } from '../message/headers.ts';

const config = z.strictObject({});

export const dmarcCheck = defineFilter<z.output<typeof config>>({
  name: 'dmarc_check',
  aliases: [dmarcSignal.wireName],
  summary:
    'Finds out whether the author’s domain stands behind the message (DMARC), from what spf_check and dkim_check found.',
  config,
  produces: [dmarcSignal],
  create: (_, { deps, earlier }) => {
    const missing = [spfSignal, dkimSignal].filter((signal) => !earlier.signals.has(signal));
    if (missing.length > 0) {
      throw new ConfigError(
        missing.map(({ name }) => ({
          path: ['filter'],
          message: `dmarc_check reads what the filter ${name} finds out; put that filter before it`,
        })),
      );
    }
    return () => ({
      async data(tx, body, next) {
        const authors = headerFromDomains(await readHeaderBlock(body));
        const ask = { authors, spf: tx.signals.get(spfSignal), dkim: tx.signals.get(dkimSignal) };
        tx.signals.set(dmarcSignal, await boundedDns(deps, tx.signal, (dns) => checkDmarc(ask, dns)));
        return tx.signal.aborted ? cancelledReply : next(body);
      },
    });
  },
});
