/** Makes DKIM-Signature fields (RFC 6376 §3.5, RFC 8463) for messages that were read with `readSigned`. */
import { createHash } from 'node:crypto';
import { must } from '../../core/errors.ts';
import type { BodyCanonicalization } from '../dkim/body-hash.ts';
import type { HeaderCanonicalization } from '../dkim/raw-field.ts';
import type { ReadSigned } from '../dkim/read-signed.ts';
import { canonicalFold, FOLD, type FoldedText } from './folded-text.ts';
import { type CoveredHeaders, type HeaderChoice, HeaderCoverage } from './signed-headers.ts';
import type { SigningAlgorithm, SigningKey } from './signing-key.ts';

/** As `readSigned` gives it, with the hash of the body in the canonicalisation that is asked for. */
export type ReadMessage = Pick<ReadSigned<unknown>, 'fields' | 'bodyHash'>;

/** What all signatures of a configuration have in common. */
export interface SigningRules {
  readonly canonicalization: { readonly header: HeaderCanonicalization; readonly body: BodyCanonicalization };
  readonly headers: HeaderChoice;
  /** `x=` is so much after `t=`; absent: the signature does not expire. */
  readonly expiresAfterMs?: number;
}

/** Whose signature it is. */
export interface SigningParty {
  /** `d=`, in ASCII form. */
  readonly domain: string;
  /** `s=`. */
  readonly selector: string;
  readonly key: SigningKey;
  /** `i=`; absent: the domain itself. */
  readonly identity?: string;
}

/** What a message's signatures have in common, looked up once for all of them. */
interface Signable {
  readonly covered: CoveredHeaders;
  /** `bh=`. */
  readonly bodyDigest: string;
  /** `t=` and `x=`. */
  readonly when: string;
}

/** Signs message after message. Made once for a configuration: what does not depend on the message is written then. */
export class DkimSigner<P extends SigningParty> {
  readonly #rules: SigningRules;
  readonly #coverage: HeaderCoverage;
  /** The tags that are the same in every message. */
  readonly #beginnings = new Map<P, Record<SigningAlgorithm, FoldedText>>();
  readonly #fold: string;

  constructor(rules: SigningRules, parties: readonly P[]) {
    const { header } = rules.canonicalization;
    this.#rules = rules;
    this.#coverage = new HeaderCoverage(rules.headers, header);
    this.#fold = canonicalFold(header);
    for (const party of parties) {
      const of = (algorithm: SigningAlgorithm): FoldedText => beginning(party, algorithm, rules);
      this.#beginnings.set(party, { 'rsa-sha256': of('rsa-sha256'), 'ed25519-sha256': of('ed25519-sha256') });
    }
  }

  /** The complete fields, folded, each with its CRLF. Rejects when a key cannot sign. `atMs`: `t=`. */
  fields(message: ReadMessage, parties: readonly P[], atMs: number): Promise<string> {
    const hash = message.bodyHash({ canonicalization: this.#rules.canonicalization.body });
    must(hash !== undefined, 'the body was hashed when the message was read');
    const covered = this.#coverage.of(message.fields);
    const signable = { covered, bodyDigest: hash.digest, when: this.#when(atMs) };
    const [first, ...more] = parties;
    if (first !== undefined && more.length === 0) return this.#field(signable, first);
    return Promise.all(parties.map((party) => this.#field(signable, party))).then((fields) => fields.join(''));
  }

  #when(atMs: number): string {
    const at = Math.floor(atMs / 1000);
    const { expiresAfterMs } = this.#rules;
    return expiresAfterMs === undefined ? `t=${at};` : `t=${at}; x=${at + Math.ceil(expiresAfterMs / 1000)};`;
  }

  #field({ covered, bodyDigest, when }: Signable, party: P): Promise<string> {
    const { names, canonical } = covered;
    let unsigned = '';
    const signature = party.key.sign((algorithm) => {
      const begun = this.#beginnings.get(party)?.[algorithm];
      must(begun !== undefined, 'whoever signs was known from the beginning');
      const fold = this.#fold;
      unsigned = `${begun.sent}${when}${FOLD}${names.sent}${FOLD}bh=${bodyDigest};${FOLD}b=`;
      const own = `${begun.canonical}${when}${fold}${names.canonical}${fold}bh=${bodyDigest};${fold}b=`;
      const data = Buffer.from(canonical + own, 'latin1');
      // RFC 8463 §3: Ed25519 signs the hash, not the text.
      return algorithm === 'rsa-sha256' ? data : createHash('sha256').update(data).digest();
    });
    return signature.then((bytes) => `${unsigned}${foldBase64(bytes.toString('base64'))}\r\n`);
  }
}

/** Up to `t=`. What is signed of it goes on to `b=`, which is last: a verifier takes its value away, folding included. */
function beginning(party: SigningParty, algorithm: SigningAlgorithm, { canonicalization }: SigningRules): FoldedText {
  const { domain, selector, identity } = party;
  const { header, body } = canonicalization;
  const what = `v=1; a=${algorithm}; c=${header}/${body};`;
  const who = `d=${domain}; s=${selector};${identity === undefined ? '' : ` i=${identity};`}`;
  const fold = canonicalFold(header);
  const sent = `DKIM-Signature: ${what}${FOLD}${who}${FOLD}`;
  return { sent, canonical: header === 'relaxed' ? `dkim-signature:${what}${fold}${who}${fold}` : sent };
}

const BASE64_LINE = 72;

function foldBase64(text: string): string {
  let folded = text.slice(0, BASE64_LINE);
  for (let at = BASE64_LINE; at < text.length; at += BASE64_LINE) folded += FOLD + text.slice(at, at + BASE64_LINE);
  return folded;
}
