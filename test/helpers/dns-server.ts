/** A DNS server on the loopback that speaks real packets from a zone in a literal, and counts the questions. */
import dgram from 'node:dgram';
import { once } from 'node:events';
import dnsPacket from 'dns-packet';

const SERVFAIL = 2;
const NXDOMAIN = 3;
const REFUSED = 5;

export interface ServedZone {
  /** Records by name and type; a name that is there without the type is NODATA, a name that is not is NXDOMAIN. */
  readonly records: Readonly<Record<string, Readonly<Record<string, readonly unknown[]>>>>;
  /** `TYPE name` or `name` that is answered SERVFAIL. */
  readonly failing?: readonly string[];
  /** The same, REFUSED. */
  readonly refused?: readonly string[];
  /** The same, answered with the beginning of a packet. */
  readonly garbled?: readonly string[];
  /** The same, answered that the answer is too long for UDP; nobody listens on TCP. */
  readonly truncated?: readonly string[];
  /** Names that are never answered. */
  readonly silent?: readonly string[];
  readonly ttlSeconds?: number;
}

export interface DnsServer extends AsyncDisposable {
  readonly address: string;
  /** The questions so far, as `TYPE name`. */
  readonly questions: readonly string[];
}

export async function dnsServer(zone: ServedZone): Promise<DnsServer> {
  const socket = dgram.createSocket('udp4');
  const questions: string[] = [];
  socket.on('message', (bytes, peer) => {
    const query = dnsPacket.decode(bytes);
    const question = query.questions?.[0];
    if (question === undefined) return;
    const name = question.name.toLowerCase();
    questions.push(`${question.type} ${name}`);
    if (zone.silent?.includes(name)) return;
    const isIn = (names: readonly string[] = []): boolean =>
      names.includes(name) || names.includes(`${question.type} ${name}`);
    const known = zone.records[name];
    const isTruncated = isIn(zone.truncated);
    const rcode = isIn(zone.failing) ? SERVFAIL : isIn(zone.refused) ? REFUSED : known === undefined ? NXDOMAIN : 0;
    const ttl = zone.ttlSeconds ?? 60;
    const answers =
      rcode !== 0 || isTruncated
        ? []
        : (known?.[question.type] ?? []).map((data) => ({ name, type: question.type, ttl, data }));
    const truncation = isTruncated ? dnsPacket.TRUNCATED_RESPONSE : 0;
    const flags = dnsPacket.AUTHORITATIVE_ANSWER | dnsPacket.RECURSION_AVAILABLE | truncation | rcode;
    const reply = { type: 'response', id: query.id ?? 0, flags, questions: query.questions, answers };
    const packet = dnsPacket.encode(reply as dnsPacket.Packet);
    socket.send(isIn(zone.garbled) ? packet.subarray(0, packet.length - 7) : packet, peer.port, peer.address);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    [Symbol.asyncDispose]: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
