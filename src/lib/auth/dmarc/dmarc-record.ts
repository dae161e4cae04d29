/** A DMARC policy record: what the owner of a domain says about mail in its name (RFC 9989 §4.7). */
import type { DmarcPolicy } from '../../core/signals/dmarc.ts';
import { trimSpaces } from '../dkim/tag-list.ts';

export interface DmarcRecord {
  /** For the domain itself. */
  readonly policy: DmarcPolicy;
  /** For domains below it that exist, and for those that do not. */
  readonly subdomainPolicy: DmarcPolicy;
  readonly nonexistentPolicy: DmarcPolicy;
  /** A policy is misspelt and nobody wants reports: the record cannot be applied (RFC 9989 §4.10.1). */
  readonly isBroken: boolean;
  /** `t=y`: the owner asks to go one step milder. */
  readonly isTesting: boolean;
  /** `y`: others register names below; `n`: this is an organisation, whatever stands above; `u`: not said. */
  readonly psd: 'y' | 'n' | 'u';
  readonly isDkimStrict: boolean;
  readonly isSpfStrict: boolean;
}

/** `undefined`: no DMARC record. What is misspelt in one counts as not said, so that one typing error does not lift the policy. */
export function parseDmarcRecord(text: string): DmarcRecord | undefined {
  if (!/^v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)/.test(text)) return undefined;
  const tags = new Map<string, string>();
  for (const spec of text.split(';')) {
    const [, name = '', value = ''] = /^([A-Za-z]+)[ \t]*=(.*)$/s.exec(trimSpaces(spec)) ?? [];
    const key = name.toLowerCase();
    if (key !== '' && !tags.has(key)) tags.set(key, trimSpaces(value).toLowerCase());
  }
  const wanted = ['p', 'sp', 'np'].map((name) => tags.get(name));
  const isMisspelt = wanted.some((value) => value !== undefined && policyOf(value) === undefined);
  const hasReports = /^[a-z][a-z0-9+.-]*:[^\s,]/.test(tags.get('rua') ?? '');
  const [p = 'none', sp, np] = isMisspelt ? [] : wanted.map(policyOf);
  const psd = tags.get('psd');
  return {
    policy: p,
    subdomainPolicy: sp ?? p,
    nonexistentPolicy: np ?? sp ?? p,
    isBroken: isMisspelt && !hasReports,
    isTesting: tags.get('t') === 'y',
    psd: psd === 'y' || psd === 'n' ? psd : 'u',
    isDkimStrict: tags.get('adkim') === 's',
    isSpfStrict: tags.get('aspf') === 's',
  };
}

function policyOf(value: string | undefined): DmarcPolicy | undefined {
  return value === 'none' || value === 'quarantine' || value === 'reject' ? value : undefined;
}
