/** Which part of a domain somebody registered, by the public suffix list. The list takes a while to load, so that waits for the first use. */

/** `example.co.uk` of `mail.example.co.uk`; a suffix itself, and a name under none, is its own. */
export async function registeredDomain(domain: string): Promise<string> {
  const { getDomain } = await import('tldts');
  return getDomain(domain, { allowPrivateDomains: true }) ?? domain;
}

/** Whether strangers register names below it: `com`, `co.uk`. Suffixes of companies (`blogspot.com`) do not count. */
export async function isPublicSuffix(domain: string): Promise<boolean> {
  const { parse } = await import('tldts');
  const { isIcann, publicSuffix } = parse(domain);
  return publicSuffix === domain && (isIcann === true || !domain.includes('.'));
}
