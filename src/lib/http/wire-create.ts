/** What we ask of the next hop, as its JSON (protocol §2.1, columns C and U). */
import { isDeepStrictEqual } from 'node:util';
import type { HostPort, SmtpMeta } from '../core/envelope.ts';
import type { HopAsk } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import type { FilterOutput } from '../core/transaction.ts';

export function createJson(ask: HopAsk, from: Mailbox, rcpts: readonly Mailbox[]): object {
  const { remoteHost, localHost, smtpMeta, filterOutput, sender, tag } = ask;
  // What is undefined is left out of the text; an object whose keys are always the same is made faster.
  return {
    remote_host: remoteHost && hostPortJson(remoteHost),
    local_host: localHost && hostPortJson(localHost),
    mail_from: mailboxJson(from),
    rcpt_to: rcpts.length > 0 ? rcpts.map(mailboxJson) : undefined,
    smtp_meta: smtpMeta && smtpMetaJson(smtpMeta),
    sender: { name: sender, tag },
    // A peer refuses an empty value.
    filter_output: filterOutput && Object.keys(filterOutput).length > 0 ? filterOutput : undefined,
  };
}

/** Adds recipients behind those that are there. */
export function addRcptsJson(rcpts: readonly Mailbox[], offset: number): object {
  return { rcpt_to: rcpts.map(mailboxJson), rcpt_to_list_offset: offset > 0 ? offset : undefined };
}

/** Adds what filters found out since the transaction was created. */
export function addFilterOutputJson(filterOutput: FilterOutput): object {
  return { filter_output: filterOutput };
}

/** What of `known` is new, or other than what the peer was `told` already. */
export function newFilterOutput(known: FilterOutput, told: FilterOutput): FilterOutput {
  return Object.fromEntries(Object.entries(known).filter(([filter, value]) => !isDeepStrictEqual(value, told[filter])));
}

function mailboxJson({ address, params }: Mailbox): object {
  if (params.length === 0) return { m: address };
  return {
    m: address,
    e: params.map(({ keyword, value }) => ({ k: keyword, p: value })),
  };
}

function hostPortJson({ host, port }: HostPort): readonly [string, number] {
  return [host, port];
}

/** Upstream says `null` where nobody authenticated. */
function smtpMetaJson({ ehloHost, esmtp, tls, auth }: SmtpMeta): object {
  return { ehlo_host: ehloHost === '' ? null : ehloHost, esmtp, tls, auth: auth ? true : null };
}
