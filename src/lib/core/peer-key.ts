/**
 * Under which name a peer is counted: its IPv4 address, or the /64 its IPv6 address lies in, because that is what a provider gives to one
 * customer, who can speak from every address of it (RFC 6177).
 */

/** The same for every spelling of an address; text that is none stands for itself. */
export function peerKey(address: string): string {
  if (!address.includes(':')) return address.toLowerCase();
  const host = address.replace(/%.*$/, '').toLowerCase();
  const mapped = /^(?:0*:)*(?:0*):?ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(host)?.[1];
  if (mapped !== undefined) return mapped;
  const [head = '', tail] = host.split('::');
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = Array.from({ length: Math.max(0, 8 - before.length - after.length) }, () => '0');
  return `${[...before, ...zeros, ...after].slice(0, 4).join(':')}::/64`;
}

/** Without leading zeros; an IPv4 address at the end is worth two groups. */
function groupsOf(text: string): string[] {
  if (text === '') return [];
  return text.split(':').flatMap((group) => (group.includes('.') ? ['v4', 'v4'] : [group.replace(/^0+(?=.)/, '')]));
}
