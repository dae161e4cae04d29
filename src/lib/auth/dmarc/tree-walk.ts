/** Finds the DMARC records of a domain and of those above it, and by them the organisation it belongs to (RFC 9989 §4.10). */
import type { Dns, DnsAnswer } from '../../core/deps.ts';
import { isPublicSuffix } from '../registered-domain.ts';
import { type DmarcRecord, parseDmarcRecord } from './dmarc-record.ts';

export interface FoundRecord {
  readonly domain: string;
  readonly record: DmarcRecord;
}

export interface TreeWalk {
  readonly start: string;
  /** The longest name first. */
  readonly found: readonly FoundRecord[];
  /** Some name could not be looked up, so what was found may not be all. */
  readonly isPartial: boolean;
}

/** RFC 9989 §4.10: at most eight questions, however long the name is. */
const LABELS_MAX = 8;

export async function treeWalk(start: string, dns: Dns): Promise<TreeWalk> {
  const names = namesOf(start);
  // All at once: most walks need every answer, and somebody is waiting.
  const answers = await Promise.all(names.map((name) => dns.txt(`_dmarc.${name}`)));
  const found: FoundRecord[] = [];
  let isPartial = false;
  for (const [i, domain] of names.entries()) {
    const answer = answers[i];
    if (answer?.status === 'temporary') isPartial = true;
    const record = answer === undefined ? undefined : await recordAt(domain, answer);
    if (record === undefined) continue;
    found.push({ domain, record });
    if (record.psd !== 'u') break;
  }
  return { start, found, isPartial };
}

/** The organisation; `undefined` while it cannot be known. */
export function organisation({ start, found, isPartial }: TreeWalk): string | undefined {
  if (isPartial) return undefined;
  for (const { domain, record } of found) {
    if (record.psd === 'n') return domain;
    if (record.psd === 'y' && domain !== start) return nameBelow(domain, start);
  }
  return found.at(-1)?.domain ?? start;
}

/** The name itself, then its parents down to one label. */
function namesOf(start: string): readonly string[] {
  const labels = start.split('.');
  const first = labels.length < LABELS_MAX ? labels.length - 1 : LABELS_MAX - 1;
  const parents = Array.from({ length: first }, (_, i) => labels.slice(labels.length - first + i).join('.'));
  return [start, ...parents];
}

/** Several records under one name count as none. */
async function recordAt(domain: string, answer: DnsAnswer<string>): Promise<DmarcRecord | undefined> {
  if (answer.status !== 'ok') return undefined;
  const records = answer.records.map(parseDmarcRecord).filter((record) => record !== undefined);
  const [record] = records;
  if (record === undefined || records.length > 1) return undefined;
  // A registry that forgot `psd=y` must not make one organisation of everybody who registered with it.
  return record.psd === 'u' && (await isPublicSuffix(domain)) ? { ...record, psd: 'y' } : record;
}

/** The name one label below `above`, on the way to `start`. */
function nameBelow(above: string, start: string): string {
  const labels = start.split('.');
  return labels.slice(labels.length - above.split('.').length - 1).join('.');
}
