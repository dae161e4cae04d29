/**
 * `remote_host`: what DNS calls the peer, and whether that can be believed. DNS trouble is a status of the signal; whether to answer 450 then
 * is for a policy to say.
 */
import { z } from 'zod';
import { boundedDns } from '../auth/bounded-dns.ts';
import { identifyPeer } from '../auth/identify-peer.ts';
import { canonicalAddress } from '../auth/peer-address.ts';
import { defineFilter, type Filter } from '../chain/filter.ts';
import { cancelledReply } from '../core/precondition.ts';
import { remoteHostSignal } from '../core/signals/remote-host.ts';

const config = z.strictObject({});

export const remoteHost = defineFilter<z.output<typeof config>>({
  name: 'remote_host',
  aliases: [remoteHostSignal.wireName],
  summary: 'Finds out the name of the peer in DNS, whether it leads back to it, and whether it said that name in EHLO.',
  config,
  produces: [remoteHostSignal],
  create: (_, { deps }) => {
    const filter: Filter = {
      mail(tx, from, next) {
        const ip = canonicalAddress(tx.remoteHost?.host);
        // Without a peer there is nothing to know, and a policy that asks for it is not judged.
        if (ip === undefined) return next(from);
        return boundedDns(deps, tx.signal, (dns) => identifyPeer(ip, tx.smtpMeta?.ehloHost, dns)).then((found) => {
          tx.signals.set(remoteHostSignal, found);
          return tx.signal.aborted ? cancelledReply : next(from);
        });
      },
    };
    return () => filter;
  },
});
