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
  let covered = '';
  for (const field of fields) covered += `${canonicalField(field, header)}\r\n`;
  let unsigned = '';
  const signature = await ask.key.sign((algorithm) => {
    unsigned = writeTags(message, ask, algorithm, names);
    const own = canonicalField({ name: 'dkim-signature', raw: unsigned }, header);
    const data = Buffer.from(covered + own, 'latin1');
    // RFC 8463 §3: Ed25519 signs the hash, not the text.
    return algorithm === 'rsa-sha256' ? data : createHash('sha256').update(data).digest();
  });
  return `${unsigned}${foldBase64(signature.toString('base64'))}\r\n`;
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
  const what = `DKIM-Signature: v=1; a=${algorithm}; c=${header}/${body};`;
  const who = `d=${ask.domain}; s=${ask.selector};${identity}`;
  const when = `t=${at};${expires}`;
  return `${what}${FOLD}${who}${FOLD}${when}${FOLD}${foldNames(names)}${FOLD}bh=${hash.digest};${FOLD}b=`;
}

const FOLD = '\r\n\t';
const NAMES_LINE_MAX = 70;

/** RFC 6376 §3.5 allows folding around the colons of `h=`. */
function foldNames(names: readonly string[]): string {
  let text = 'h=';
  let lineLength = text.length;
  for (const [i, name] of names.entries()) {
    const length = name.length + 1;
    if (lineLength + length > NAMES_LINE_MAX) {
      text += FOLD;
      lineLength = 0;
    }
    text += name;
    text += i === names.length - 1 ? ';' : ':';
    lineLength += length;
  }
  return text;
}

const BASE64_LINE = 72;

function foldBase64(text: string): string {
  let folded = text.slice(0, BASE64_LINE);
  for (let at = BASE64_LINE; at < text.length; at += BASE64_LINE) folded += FOLD + text.slice(at, at + BASE64_LINE);
  return folded;
}
