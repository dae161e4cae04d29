/** Makes a DKIM-Signature field (RFC 6376 §3.5, RFC 8463) for a message that was read with `readSigned`. */
import { createHash } from 'node:crypto';
import { must } from '../../core/errors.ts';
import type { BodyCanonicalization } from '../dkim/body-hash.ts';
import { canonicalField, type HeaderCanonicalization } from '../dkim/raw-field.ts';
import type { ReadSigned } from '../dkim/read-signed.ts';
import { coveredHeaders, type HeaderChoice } from './signed-headers.ts';
import type { SigningAlgorithm, SigningKey } from './signing-key.ts';

/** As `readSigned` gives it, with the hash of the body in the canonicalisation that is asked for. */
export type ReadMessage = Pick<ReadSigned<unknown>, 'fields' | 'bodyHash'>;

export interface SignatureAsk {
  /** `d=`, in ASCII form. */
  readonly domain: string;
  /** `s=`. */
  readonly selector: string;
  readonly key: SigningKey;
  /** `i=`; absent: the domain itself. */
  readonly identity?: string;
  readonly canonicalization: { readonly header: HeaderCanonicalization; readonly body: BodyCanonicalization };
  readonly headers: HeaderChoice;
  /** `t=`, in milliseconds. */
  readonly atMs: number;
  /** `x=` is so much later; absent: the signature does not expire. */
  readonly expiresAfterMs?: number;
}

/** The complete field, folded, with its CRLF. */
export async function dkimSignature(message: ReadMessage, ask: SignatureAsk): Promise<string> {
  const { names, fields } = coveredHeaders(message.fields, ask.headers);
  const { header } = ask.canonicalization;
  const covered = fields.map((field) => `${canonicalField(field, header)}\r\n`).join('');
  let unsigned = '';
  const signature = await ask.key.sign((algorithm) => {
    unsigned = writeTags(message, ask, algorithm, names);
    const own = canonicalField({ name: 'dkim-signature', raw: unsigned }, header);
    const data = Buffer.from(covered + own, 'latin1');
    // RFC 8463 §3: Ed25519 signs the hash, not the text.
    return algorithm === 'rsa-sha256' ? data : createHash('sha256').update(data).digest();
  });
  const lines = signature.toString('base64').match(/.{1,72}/g) ?? [];
  return `${unsigned}${lines.join('\r\n\t')}\r\n`;
}

/** Everything up to and with `b=`, which is last: a verifier takes its value away, folding included. */
function writeTags(
  message: ReadMessage,
  ask: SignatureAsk,
  algorithm: SigningAlgorithm,
  names: readonly string[],
): string {
  const { header, body } = ask.canonicalization;
  const hash = message.bodyHash({ canonicalization: body });
  must(hash !== undefined, 'the body was hashed when the message was read');
  const at = Math.floor(ask.atMs / 1000);
  const expires = ask.expiresAfterMs === undefined ? '' : ` x=${at + Math.ceil(ask.expiresAfterMs / 1000)};`;
  const identity = ask.identity === undefined ? '' : ` i=${ask.identity};`;
  return [
    `DKIM-Signature: v=1; a=${algorithm}; c=${header}/${body};`,
    `d=${ask.domain}; s=${ask.selector};${identity}`,
    `t=${at};${expires}`,
    ...foldNames(names),
    `bh=${hash.digest};`,
    'b=',
  ].join('\r\n\t');
}

const NAMES_LINE_MAX = 70;

/** RFC 6376 §3.5 allows folding around the colons of `h=`. */
function foldNames(names: readonly string[]): readonly string[] {
  const lines: string[] = [];
  let line = 'h=';
  for (const [i, name] of names.entries()) {
    const piece = i === names.length - 1 ? `${name};` : `${name}:`;
    if (line.length + piece.length > NAMES_LINE_MAX) {
      lines.push(line);
      line = '';
    }
    line += piece;
  }
  return [...lines, line];
}
