/**
 * `spf_check`: whether the domain of the reverse-path lets this peer send for it (RFC 7208). It never rejects: a policy may, by what was
 * found. Without a peer's address, or without a domain to ask, the result is `none`.
 */
import { z } from 'zod';
import { checkSpf, type SpfAsk } from '../auth/check-spf.ts';
import { canonicalAddress } from '../auth/peer-address.ts';
import { defineFilter, type TxContext } from '../chain/filter.ts';
import type { Deps } from '../core/deps.ts';
import { type Mailbox, parseAddress } from '../core/mailbox.ts';
import { cancelledReply } from '../core/precondition.ts';
import { type Spf, type SpfResult, spfSignal } from '../core/signals/spf.ts';
import { asciiDomain } from '../message/ascii-domain.ts';

const domains = z
  .array(
    z
      .string()
      .refine((text) => asciiDomain(text) !== undefined, { error: 'expected a domain' })
      .transform((text) => asciiDomain(text) ?? text),
  )
  .max(20)
  .optional();

const config = z.strictObject({
  extra_domains: domains.describe(
    'Also find out whether the peer may send for these domains, whatever the reverse-path says: for forwarders you know.',
  ),
  domains: domains.describe('The same as extra_domains.'),
});

export const spfCheck = defineFilter<z.output<typeof config>>({
  name: 'spf_check',
  aliases: [spfSignal.wireName],
  summary: 'Finds out whether the domain of the sender lets this peer send for it (SPF).',
  config,
  produces: [spfSignal],
  subjects: extraDomainsOf,
  create: (c, { deps }) => {
    const extraDomains = extraDomainsOf(c);
    return () => ({
      async mail(tx, from, next) {
        tx.signals.set(spfSignal, await evaluate(tx, from, extraDomains, deps));
        return tx.signal.aborted ? cancelledReply : next(from);
      },
    });
  },
});

function extraDomainsOf(c: z.output<typeof config>): readonly string[] {
  return [...new Set([...(c.extra_domains ?? []), ...(c.domains ?? [])])];
}

async function evaluate(tx: TxContext, from: Mailbox, extraDomains: readonly string[], deps: Deps): Promise<Spf> {
  const ip = canonicalAddress(tx.remoteHost?.host);
  const ehloHost = tx.smtpMeta?.ehloHost;
  const sender = senderOf(from, ehloHost);
  const known = { identity: sender.identity, ...(sender.domain !== undefined && { domain: sender.domain }) };
  if (ip === undefined) {
    const none = extraDomains.map((domain): [string, SpfResult] => [domain, 'none']);
    const comment = 'the address of the peer is not known';
    return { ...known, mailFromResult: 'none', comment, extraDomainResults: new Map(none) };
  }
  const check = (domain: string): ReturnType<typeof checkSpf> => checkSpf(askFor(domain), deps);
  const askFor = (domain: string): SpfAsk => ({
    ip,
    domain,
    ...(sender.localPart !== undefined && { localPart: sender.localPart }),
    ...(ehloHost !== undefined && { ehloHost }),
    signal: tx.signal,
  });
  const [own, ...extra] = await Promise.all([
    sender.domain === undefined
      ? { result: 'none' as const, comment: 'there is no domain to ask about' }
      : check(sender.domain),
    ...extraDomains.map(check),
  ]);
  return {
    ...known,
    mailFromResult: own.result,
    ...(own.comment !== undefined && { comment: own.comment }),
    extraDomainResults: new Map(extraDomains.map((domain, i) => [domain, extra[i]?.result ?? 'none'])),
  };
}

/** RFC 7208 §2.4: the null reverse-path stands for the postmaster of the host that says EHLO. */
function senderOf(
  from: Mailbox,
  ehloHost: string | undefined,
): { readonly identity: Spf['identity']; readonly domain?: string; readonly localPart?: string } {
  const identity = from.address === '' ? 'helo' : 'mailfrom';
  const parts = identity === 'helo' ? undefined : parseAddress(from.address);
  const domain = asciiDomain((identity === 'helo' ? ehloHost : parts?.domain) ?? '');
  return {
    identity,
    ...(domain !== undefined && { domain }),
    ...(parts !== undefined && { localPart: parts.localPart }),
  };
}
