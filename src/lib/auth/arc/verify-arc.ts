/**
 * Validates the ARC chain of a message (RFC 8617 §5.2) in one pass over its bytes. A key that cannot be looked up for the moment makes the
 * result `temperror`, which the RFC has no word for, rather than a chain that failed.
 */
import { isUtf8 } from 'node:buffer';
import type { Body } from '../../core/body.ts';
import type { Deps, Dns } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import type { Arc } from '../../core/signals/arc.ts';
import { boundedDns } from '../bounded-dns.ts';
import { bodyAsk, checkSignature, isSignatureOf, type SignedMessage } from '../dkim/check-signature.ts';
import { publicKey } from '../dkim/public-key.ts';
import { canonicalField, type RawField } from '../dkim/raw-field.ts';
import { readSigned } from '../dkim/read-signed.ts';
import { type SignatureField, signatureField } from '../dkim/signature-field.ts';
import { trimSpaces, withoutSignature } from '../dkim/tag-list.ts';
import { type ArcSet, arcSets, type Seal } from './arc-sets.ts';

interface Plan {
  readonly sets: readonly ArcSet[];
  readonly problem?: string | undefined;
  /** The ARC-Message-Signatures of the latest hops, the latest first; of older ones nobody asks whether they still hold. */
  readonly messages: readonly SignatureField[];
}

/** A message whose header is larger than `limits.messageHeaderBytes` counts as without a chain. */
export async function verifyArc(body: Body, deps: Pick<Deps, 'clock' | 'dns'>, signal?: AbortSignal): Promise<Arc> {
  const message = await readSigned(body, (fields) => {
    const planned = planOf(fields, deps.clock.now());
    const hashes = planned.messages.flatMap(({ verifiable }) =>
      verifiable === undefined ? [] : [bodyAsk(verifiable)],
    );
    return { planned, hashes };
  });
  const { sets = [], problem } = message?.planned ?? {};
  const sealers = sets.map(({ seal: { instance, domain, selector } }) => ({ instance, domain, selector }));
  if (problem !== undefined) return { result: 'fail', comment: problem, sealers };
  if (message === undefined || sets.length === 0) return { result: 'none', sealers };
  const validated = await boundedDns(deps, signal, (dns) => validate(message.planned, message, dns));
  if (validated.result !== 'pass') return { ...validated, sealers };
  return { ...validated, sealers, firstResults: resultsText(sets[0]?.results) };
}

function planOf(fields: readonly RawField[], nowMs: number): Plan {
  const { sets = [], problem } = arcSets(fields);
  const messages = sets
    .toReversed()
    .slice(0, limits.dkimSignatures)
    .map(({ message }) => signatureField(message, 'ams', nowMs));
  return { sets, problem, messages };
}

type Validated = Pick<Arc, 'result' | 'comment' | 'oldestPass'>;

async function validate({ sets, messages }: Plan, message: SignedMessage, dns: Dns): Promise<Validated> {
  const checked = await Promise.all(messages.map((each) => checkSignature(each, message, dns)));
  const seals = await checkSeals(sets, dns);
  const [latest] = checked;
  const failed = seals.find(({ result }) => result === 'fail');
  if (failed !== undefined) return failed;
  if (latest?.result !== 'pass' && latest?.result !== 'temperror') {
    const why = latest?.comment ?? 'it is missing';
    return { result: 'fail', comment: `the message does not fit the last signature: ${why}` };
  }
  const isOpen = latest.result === 'temperror' || seals.some(({ result }) => result === 'temperror');
  if (isOpen) return { result: 'temperror', comment: 'a key could not be looked up' };
  const unfit = checked.findIndex(({ result }) => result !== 'pass');
  const holdBackTo = unfit === -1 ? sets.length - checked.length : sets.length - unfit;
  return { result: 'pass', oldestPass: holdBackTo === 0 ? 0 : holdBackTo + 1 };
}

/** Each seal covers all sets up to its own. */
async function checkSeals(sets: readonly ArcSet[], dns: Dns): Promise<readonly Validated[]> {
  const written = sets.map(({ results, message, seal }) => [results, message, seal.field].map(canonical));
  return Promise.all(
    sets.map(({ seal }, i) => {
      const before = written.slice(0, i).flat();
      const own = canonical({ name: seal.field.name, raw: withoutSignature(seal.field.raw) });
      return checkSeal(seal, [...before, ...(written[i] ?? []).slice(0, 2), own].join('\r\n'), dns);
    }),
  );
}

async function checkSeal(seal: Seal, data: string, dns: Dns): Promise<Validated> {
  const key = await publicKey({ domain: seal.domain, selector: seal.selector, type: seal.keyType }, dns);
  if ('result' in key) {
    const result = key.result === 'temperror' ? 'temperror' : 'fail';
    return { result, comment: `the seal of instance ${seal.instance}: ${key.comment}` };
  }
  if (isSignatureOf(data, seal, key.key)) return { result: 'pass' };
  return { result: 'fail', comment: `the seal of instance ${seal.instance} does not fit` };
}

function canonical(field: RawField): string {
  return canonicalField(field, 'relaxed');
}

const RESULTS_CHARS_MAX = 2000;

/** Without name and instance. */
function resultsText(field: RawField | undefined): string {
  const value = field === undefined ? '' : canonical(field);
  const bytes = Buffer.from(trimSpaces(value.slice(value.indexOf(';') + 1)), 'latin1');
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1').slice(0, RESULTS_CHARS_MAX);
}
