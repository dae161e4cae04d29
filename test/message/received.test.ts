/** The Received header as bytes: whatever a peer says, it stays one well-formed header. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type ReceivedFacts, receivedHeader } from '../../src/lib/message/received.ts';

const facts: ReceivedFacts = {
  ehloHost: 'far.test',
  peerAddress: '192.0.2.7',
  protocol: 'ESMTP',
  rcptTo: 'u@d.test',
  utf8: false,
  atMs: 0,
};

describe('receivedHeader', () => {
  it('writes an IPv6 peer as an address literal of RFC 5321', () => {
    expect(receivedHeader({ ...facts, peerAddress: '2001:db8::1' })).toContain('from far.test ([IPv6:2001:db8::1])');
  });

  it('writes internationalised names as A-labels, or as they are when the mail is internationalised', () => {
    const named = { ...facts, ehloHost: 'bücher.test', rcptTo: 'u@bücher.test' };
    expect(receivedHeader(named)).toContain('from xn--bcher-kva.test (');
    expect(receivedHeader(named)).toContain('for u@xn--bcher-kva.test;');
    expect(receivedHeader({ ...named, utf8: true })).toContain('from bücher.test (');
    expect(receivedHeader({ ...named, utf8: true })).toContain('for u@bücher.test;');
  });

  it('leaves out a recipient that cannot be written in ASCII', () => {
    expect(receivedHeader({ ...facts, rcptTo: 'jürgen@d.test' })).not.toContain('for ');
    expect(receivedHeader({ ...facts, rcptTo: 'jürgen@d.test', utf8: true })).toContain('for jürgen@d.test;');
  });

  it('leaves out a recipient that is no address, for it could end the clause and say something of its own', () => {
    for (const rcptTo of ['u@d.test; (forged)', 'u@d.test>', 'nobody']) {
      expect(receivedHeader({ ...facts, rcptTo })).not.toContain('for ');
    }
  });

  it('does not let a peer write a header of its own', () => {
    const header = receivedHeader({ ...facts, ehloHost: 'x\r\nSubject: forged (', rcptTo: 'u\r\nX: y@d.test' });
    expect(header).toContain('from x??Subject:?forged?? ([192.0.2.7])');
    expect(header).not.toContain('for ');
  });

  it('is one header of short enough lines for anything that is said', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 2000 });
    fc.assert(
      fc.property(anything, anything, anything, fc.boolean(), (ehloHost, peerName, rcptTo, utf8) => {
        const header = receivedHeader({ ...facts, ehloHost, peerName, rcptTo, utf8, by: 'here.test' });
        expect(header).toMatch(/^Received: [^\r\n]+(\r\n\t[^\r\n]+)*\r\n$/);
        expect(header.includes('\0')).toBe(false);
        if (!utf8) expect(header).toMatch(/^[\t\r\n\x20-\x7e]*$/);
        for (const line of header.split('\r\n')) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(3 * 998);
        if (!utf8) for (const line of header.split('\r\n')) expect(line.length).toBeLessThanOrEqual(998);
      }),
    );
  });
});
