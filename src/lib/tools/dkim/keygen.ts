/** `koukan dkim keygen`: a new signing key in a file only its owner can read, and the DNS record that goes with it. */
import { generateKeyPair, type KeyObject } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type DkimRecord, dkimRecord } from '../../auth/signing/dkim-record.ts';
import { exitCodes, UserError } from '../../core/errors.ts';
import { asciiDomain } from '../../message/ascii-domain.ts';

export interface KeygenAsk {
  readonly domain: string;
  readonly selector: string;
  readonly type: 'rsa' | 'ed25519';
  /** Of an RSA key. */
  readonly bits: number;
  /** Where the private key goes; it must not exist yet unless `force` is set. */
  readonly out: string;
  readonly force: boolean;
}

const generateKey = promisify(generateKeyPair) as (
  type: string,
  options: { modulusLength?: number },
) => Promise<{ privateKey: KeyObject }>;

/** Writes the private key and answers its record. Throws `UserError`. */
export async function dkimKeygen(ask: KeygenAsk): Promise<DkimRecord> {
  const domain = asciiDomain(ask.domain);
  const selector = asciiDomain(ask.selector);
  if (domain === undefined) throw new UserError(`${ask.domain} is not a domain`, exitCodes.usage);
  if (selector === undefined) throw new UserError(`${ask.selector} is not a selector, such as s2026`, exitCodes.usage);
  // A key that is in use is replaced as a whole, or not at all.
  const path = ask.force ? `${ask.out}.new` : ask.out;
  // Opened first: a key that cannot be kept need not be made.
  const file = await openNew(path, ask.force);
  try {
    const { privateKey } = await generateKey(ask.type, ask.type === 'rsa' ? { modulusLength: ask.bits } : {});
    // A file that was there before may be open to others.
    await file.chmod(0o600);
    await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await file.sync();
    if (ask.force) await rename(path, ask.out);
    return dkimRecord(domain, selector, privateKey);
  } catch (error) {
    await rm(path, { force: true });
    throw new UserError(`cannot write ${ask.out}: ${(error as Error).message}`, exitCodes.cantCreate);
  } finally {
    await file.close();
  }
}

async function openNew(path: string, force: boolean): ReturnType<typeof open> {
  try {
    return await open(path, force ? 'w' : 'wx', 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      const detail = `${path} exists already; mail signed with it would not verify any more. Name another file, or say --force`;
      throw new UserError(detail, exitCodes.cantCreate);
    }
    const why = code === 'ENOENT' ? 'its folder does not exist' : (code ?? String(error));
    throw new UserError(`cannot write ${path}: ${why}`, exitCodes.cantCreate);
  }
}
