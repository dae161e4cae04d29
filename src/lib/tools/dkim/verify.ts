/** `koukan dkim verify`: what a receiver would find out about the signatures of a message in a file. */
import { isIP } from 'node:net';
import { type VerifiedDkim, verifyDkim } from '../../auth/verify-dkim.ts';
import { memoryBody } from '../../core/body.ts';
import type { Dns } from '../../core/deps.ts';
import { exitCodes, UserError } from '../../core/errors.ts';
import type { DkimSignature } from '../../core/signals/dkim.ts';
import { systemClock } from '../../ops/clock.ts';
import { createDns } from '../../ops/dns.ts';
import { readInput } from '../input-file.ts';

export interface VerifyAsk {
  /** A file, or `-` for standard input. */
  readonly file: string;
  /** A file with records as `dkim keygen` prints them, which stand in for DNS; others are looked up. */
  readonly recordFile?: string;
  /** DNS servers, `192.0.2.53` or `192.0.2.53:5353`; those of the system by default. */
  readonly servers?: readonly string[];
}

/** Throws `UserError` when a file cannot be read. */
export async function dkimVerify(ask: VerifyAsk): Promise<VerifiedDkim> {
  const wrong = ask.servers?.find((server) => !isServer(server));
  if (wrong !== undefined) {
    throw new UserError(
      `--dns ${wrong}: expected an IP address, or ADDRESS:PORT, [ADDRESS]:PORT for IPv6`,
      exitCodes.usage,
    );
  }
  const message = await readInput(ask.file);
  const known = ask.recordFile === undefined ? new Map<string, string>() : await readRecords(ask.recordFile);
  const system = createDns(ask.servers === undefined ? {} : { servers: ask.servers });
  const dns: Dns = {
    ...system,
    txt: (name) => {
      const text = known.get(name.toLowerCase());
      return text === undefined ? system.txt(name) : Promise.resolve({ status: 'ok', records: [text] });
    },
  };
  try {
    return await verifyDkim(memoryBody(withCrlf(message)), { clock: systemClock, dns });
  } finally {
    system.close();
  }
}

function isServer(server: string): boolean {
  const [, bracketed, port] = /^\[(.*)\](?::(\d+))?$/.exec(server) ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6 && Number(port ?? 53) <= 65_535;
  const [, host = server, own] = /^([^:]*):(\d+)$/.exec(server) ?? [];
  return isIP(host) !== 0 && Number(own ?? 53) <= 65_535;
}

/** A message saved by a mail program on this machine has bare line feeds, and travelled with CRLF. */
function withCrlf(message: Buffer): Buffer {
  if (message.includes('\r\n')) return message;
  return Buffer.from(message.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
}

const RECORD = /^\s*(\S+?)\.?\s+(?:\d+\s+)?(?:IN\s+)?TXT\s+(.*)$/i;

async function readRecords(file: string): Promise<ReadonlyMap<string, string>> {
  const text = (await readInput(file)).toString();
  const records = new Map<string, string>();
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const [, name = '', data = ''] = RECORD.exec(line) ?? [];
    const strings = [...data.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, piece]) => piece ?? '');
    if (strings.length === 0) {
      throw new UserError(`${file}:${i + 1}: not a record such as \`NAME. IN TXT "v=DKIM1; …"\``, exitCodes.dataErr);
    }
    records.set(name.toLowerCase(), strings.join('').replace(/\\(.)/g, '$1'));
  }
  return records;
}

/** A line for people: what came out, who signed with what, and why it is no pass. */
export function signatureLine(signature: DkimSignature): string {
  const { result, domain, selector, algorithm, keyBits, alignment, comment } = signature;
  const key = keyBits === undefined ? '' : `, ${keyBits} bits`;
  const relation = { domain: 'From is in this domain', same_sld: 'From is in its organisation', other: 'not of From' };
  const why = comment === undefined ? '' : `: ${comment}`;
  return `${result} ${domain} ${selector} (${algorithm}${key}; ${relation[alignment]})${why}`;
}

/** 0 when a signature holds; 75 when DNS could not say so yet; else 65. */
export function verifyExitCode({ signatures }: VerifiedDkim): number {
  if (signatures.some(({ result }) => result === 'pass')) return exitCodes.ok;
  return signatures.some(({ result }) => result === 'temperror') ? exitCodes.tempFail : exitCodes.dataErr;
}
