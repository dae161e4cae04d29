import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProxyHeader } from '../../../src/lib/smtp/listener/proxy-header.ts';

const V2 = '0d0a0d0a000d0a515549540a';

describe('a PROXY header', () => {
  it('of version 1 names both ends', () => {
    expect(parseProxyHeader(Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\nEHLO'))).toEqual({
      kind: 'header',
      lengthBytes: 44,
      source: { host: '192.0.2.1', port: 56324 },
      destination: { host: '198.51.100.2', port: 25 },
    });
    expect(parseProxyHeader(Buffer.from('PROXY TCP6 2001:DB8::1 2001:db8:0:0::2 1 65535\r\n'))).toMatchObject({
      source: { host: '2001:db8::1', port: 1 },
      destination: { host: '2001:db8::2', port: 65535 },
    });
  });

  it('may say that it knows nothing', () => {
    expect(parseProxyHeader(Buffer.from('PROXY UNKNOWN ffff::1 whatever\r\n'))).toEqual({
      kind: 'header',
      lengthBytes: 32,
    });
  });

  it.each([
    'EHLO client.example\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 56324 65536\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 1 extra\r\n',
    'PROXY TCP4 2001:db8::1 2001:db8::2 1 1\r\n',
    'PROXY TCP4 name.example 198.51.100.2 1 1\r\n',
    'PROXY UDP4 192.0.2.1 198.51.100.2 1 1\r\n',
    'proxy TCP4 192.0.2.1 198.51.100.2 1 1\r\n',
    `PROXY TCP4 ${'9'.repeat(200)}`,
  ])('is not %j', (text) => {
    expect(parseProxyHeader(Buffer.from(text)).kind).toBe('invalid');
  });

  it('of version 2 names both ends, and its extensions are skipped', () => {
    const header = Buffer.from(`${V2}21110010c0000201c6336402dc040019aabbccdd`, 'hex');
    expect(parseProxyHeader(Buffer.concat([header, Buffer.from('EHLO')]))).toEqual({
      kind: 'header',
      lengthBytes: 32,
      source: { host: '192.0.2.1', port: 56324 },
      destination: { host: '198.51.100.2', port: 25 },
    });
    const six = Buffer.from(`${V2}21210024${'20010db8'.padEnd(31, '0')}1${'20010db8'.padEnd(31, '0')}200010019`, 'hex');
    expect(parseProxyHeader(six)).toMatchObject({
      lengthBytes: 52,
      source: { host: '2001:db8::1', port: 1 },
      destination: { host: '2001:db8::2', port: 25 },
    });
  });

  it('of version 2 may be about the proxy itself or about a local socket', () => {
    expect(parseProxyHeader(Buffer.from(`${V2}20000000`, 'hex'))).toEqual({ kind: 'header', lengthBytes: 16 });
    expect(parseProxyHeader(Buffer.from(`${V2}21310002abcd`, 'hex'))).toEqual({ kind: 'header', lengthBytes: 18 });
  });

  it.each([`${V2}11110000`, `${V2}22110000`, `${V2}2111ffff`, `${V2}21110004c0000201`])(
    'of version 2 is not %s',
    (hex) => {
      expect(parseProxyHeader(Buffer.from(hex, 'hex')).kind).toBe('invalid');
    },
  );

  it('is incomplete until its last byte', () => {
    for (const whole of [
      Buffer.from('PROXY TCP4 192.0.2.1 198.51.100.2 1 1\r\n'),
      Buffer.from(`${V2}21110010c0000201c6336402dc040019aabbccdd`, 'hex'),
    ]) {
      for (let cut = 1; cut < whole.length; cut += 1)
        expect(parseProxyHeader(whole.subarray(0, cut)).kind).toBe('incomplete');
      expect(parseProxyHeader(whole).kind).toBe('header');
    }
  });

  it('may be anything without harm', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void parseProxyHeader(Buffer.from(bytes))));
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 60 }),
        (bytes) => void parseProxyHeader(Buffer.concat([Buffer.from(V2, 'hex'), bytes])),
      ),
    );
  });
});
