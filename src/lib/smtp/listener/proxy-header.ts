/**
 * The PROXY protocol, versions 1 and 2: what a load balancer says about the client it connects for, before the client's first byte. Anyone who can reach
 * such a port can claim any address, which is why it is only expected where the configuration says so.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { HostPort } from '../../core/envelope.ts';

export type ProxyHeader =
  /** Complete; without addresses when the proxy speaks for itself or the family is not TCP over IP. */
  | {
      readonly kind: 'header';
      readonly lengthBytes: number;
      readonly source?: HostPort;
      readonly destination?: HostPort;
    }
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'invalid'; readonly why: string };

const V1_START = Buffer.from('PROXY ');
/** The longest line of version 1, with its CRLF. */
const V1_BYTES = 107;
const V2_START = Buffer.from([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]);
const V2_FIXED_BYTES = 16;
/** Addresses and the extensions proxies send; the field could say 64 KB. */
const V2_BODY_BYTES = 4096;

const invalid = (why: string): ProxyHeader => ({ kind: 'invalid', why });

/** Reads the header at the beginning of what a connection has sent so far. */
export function parseProxyHeader(bytes: Buffer): ProxyHeader {
  if (startsLike(bytes, V2_START)) return bytes.length < V2_FIXED_BYTES ? { kind: 'incomplete' } : parseV2(bytes);
  if (startsLike(bytes, V1_START)) return parseV1(bytes);
  return invalid('no PROXY header');
}

function startsLike(bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length);
  return bytes.subarray(0, length).equals(start.subarray(0, length));
}

function parseV1(bytes: Buffer): ProxyHeader {
  const end = bytes.indexOf('\r\n');
  if (end === -1 || end > V1_BYTES - 2)
    return bytes.length < V1_BYTES ? { kind: 'incomplete' } : invalid('line too long');
  const lengthBytes = end + 2;
  const [, family, from, to, fromPort, toPort, ...more] = bytes.toString('latin1', 0, end).split(' ');
  if (family === 'UNKNOWN') return { kind: 'header', lengthBytes };
  const version = family === 'TCP4' ? 4 : family === 'TCP6' ? 6 : undefined;
  if (version === undefined || more.length > 0) return invalid('unknown family or trailing words');
  const source = hostPort(version, from, fromPort);
  const destination = hostPort(version, to, toPort);
  if (source === undefined || destination === undefined) return invalid('bad address or port');
  return { kind: 'header', lengthBytes, source, destination };
}

function hostPort(version: 4 | 6, host = '', port = ''): HostPort | undefined {
  if (isIP(host) !== version || !/^(?:0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65_535) return undefined;
  return { host: ipaddr.parse(host).toString(), port: Number(port) };
}

function parseV2(bytes: Buffer): ProxyHeader {
  const [versionAndCommand = 0, familyAndProtocol = 0] = bytes.subarray(12, 14);
  const bodyBytes = bytes.readUInt16BE(14);
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2) return invalid('unknown version');
  if (command > 1) return invalid('unknown command');
  if (bodyBytes > V2_BODY_BYTES) return invalid('header too long');
  const lengthBytes = V2_FIXED_BYTES + bodyBytes;
  if (bytes.length < lengthBytes) return { kind: 'incomplete' };
  // 0: LOCAL, the proxy checks our health by itself.
  if (command === 0) return { kind: 'header', lengthBytes };
  const addressBytes = familyAndProtocol === 0x11 ? 4 : familyAndProtocol === 0x21 ? 16 : undefined;
  if (addressBytes === undefined) return { kind: 'header', lengthBytes };
  if (bodyBytes < 2 * addressBytes + 4) return invalid('addresses are cut off');
  const body = bytes.subarray(V2_FIXED_BYTES, lengthBytes);
  const host = (from: number): string => ipaddr.fromByteArray([...body.subarray(from, from + addressBytes)]).toString();
  return {
    kind: 'header',
    lengthBytes,
    source: { host: host(0), port: body.readUInt16BE(2 * addressBytes) },
    destination: { host: host(addressBytes), port: body.readUInt16BE(2 * addressBytes + 2) },
  };
}
