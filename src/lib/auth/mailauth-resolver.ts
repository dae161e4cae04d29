/** Our DNS in the form that mailauth asks in, for the SPF check of one peer. */
import type { Dns, DnsAnswer } from '../core/deps.ts';
import { limits } from '../core/limits.ts';

/** The shape of `dns.promises.resolve`, rejecting with its codes. */
export type MailauthResolver = (name: string, type: string) => Promise<unknown[]>;

export function mailauthResolver(ip: string, dns: Dns): MailauthResolver {
  return async (name, type) => {
    switch (type) {
      case 'TXT':
        return spfRecords(recordsOf(await dns.txt(name))).map((record) => [record]);
      case 'MX':
        return recordsOf(await dns.mx(name)).map(({ exchange, preference }) => ({ exchange, priority: preference }));
      case 'A':
      case 'AAAA':
        return ofFamily(recordsOf(await dns.addresses(name)), type);
      case 'PTR': {
        // The only reverse name it asks for is the peer's. RFC 7208 §5.5: an error is no match.
        const answer = await dns.ptr(ip);
        return answer.status === 'ok' ? [...answer.records] : [];
      }
      default:
        throw failure('ENODATA', `no records of type ${type}`);
    }
  };
}

function recordsOf<T>(answer: DnsAnswer<T>): readonly T[] {
  // The code that the library takes for a temporary error wherever it comes up, also below an `include`.
  if (answer.status === 'temporary') throw failure('ETIMEOUT', answer.why);
  if (answer.status === 'notFound') throw failure('ENOTFOUND', 'no such name');
  return answer.records;
}

function ofFamily(addresses: readonly string[], type: 'A' | 'AAAA'): string[] {
  const found = addresses.filter((address) => address.includes(':') === (type === 'AAAA'));
  if (found.length === 0) throw failure('ENODATA', 'no such record');
  return found;
}

function spfRecords(records: readonly string[]): readonly string[] {
  const found = records.filter((record) => /^v=spf1(?: |$)/i.test(record));
  if (found.some((record) => record.length > limits.spfRecordChars)) {
    const error = failure('ETOOLONG', 'the SPF record is too long');
    throw Object.assign(error, { spfResult: { error: 'permerror', text: error.message } });
  }
  return found;
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
