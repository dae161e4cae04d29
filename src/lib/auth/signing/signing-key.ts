/**
 * A private key that signs, read from a PEM file once and again when the file changes: a rotated key works without a restart, and a broken
 * new file leaves the old key in use.
 */
import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Log } from '../../core/deps.ts';

/** `a=` of RFC 6376 §3.3 and RFC 8463. */
export type SigningAlgorithm = 'rsa-sha256' | 'ed25519-sha256';

/** A key file that cannot be used; the message says why, without a word of its contents. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

const CHECK_AFTER_MS = 5000;
/** RFC 8301 §3.2. */
const RSA_BITS_MIN = 1024;

export class SigningKey {
  readonly #path: string;
  readonly #deps: { readonly clock: Clock; readonly log: Log };
  #key: KeyObject;
  #stamp: string;
  /** Absent until it was looked at again: a configuration that is only checked has no clock. */
  #checkedAt: number | undefined;

  /** Reads the file; throws `KeyFileError`. */
  constructor(path: string, deps: { readonly clock: Clock; readonly log: Log }) {
    this.#path = path;
    this.#deps = deps;
    this.#stamp = readable(() => stampOf(statSync(path)));
    this.#key = parseKey(readable(() => readFileSync(path, 'utf8')));
  }

  get algorithm(): SigningAlgorithm {
    return algorithmOf(this.#key);
  }

  /** Signs off the event loop. The algorithm is that of the key that signed. Rejects when OpenSSL refuses, or `makeData` throws. */
  sign(makeData: (algorithm: SigningAlgorithm) => Buffer): Promise<Buffer> {
    // One key from here on, whatever is read meanwhile.
    const key = this.#key;
    const algorithm = algorithmOf(key);
    return new Promise((resolve, reject) => {
      sign(algorithm === 'rsa-sha256' ? 'sha256' : null, makeData(algorithm), key, (error, signature) => {
        if (error === null) resolve(signature);
        else reject(error);
      });
    });
  }

  /** Nobody has looked at the file for a while: `refresh` is due. */
  get isDueForALook(): boolean {
    const now = this.#deps.clock.monotonicMs();
    return this.#checkedAt === undefined || now - this.#checkedAt >= CHECK_AFTER_MS;
  }

  /** Looks whether the file has changed, at most every few seconds. Never rejects. */
  async refresh(): Promise<void> {
    if (!this.isDueForALook) return;
    this.#checkedAt = this.#deps.clock.monotonicMs();
    try {
      const stamp = stampOf(await stat(this.#path));
      if (stamp === this.#stamp) return;
      this.#key = parseKey(await readFile(this.#path, 'utf8'));
      this.#stamp = stamp;
      this.#deps.log.info({ file: this.#path, algorithm: this.algorithm }, 'signing key read again');
    } catch (error) {
      this.#deps.log.error(
        { file: this.#path, error },
        'a changed signing key cannot be used; the old one stays in use',
      );
    }
  }
}

/** Reads a key file only to see that it can be used; throws `KeyFileError`. */
export function checkKeyFile(path: string): void {
  parseKey(readable(() => readFileSync(path, 'utf8')));
}

/** Throws `KeyFileError` for what is no private key that DKIM can use. */
export function parseKey(pem: string): KeyObject {
  const key = privateKey(pem);
  if (key.asymmetricKeyType === 'ed25519') return key;
  if (key.asymmetricKeyType !== 'rsa') {
    throw new KeyFileError(`holds a key of type ${key.asymmetricKeyType}; DKIM signs with rsa or ed25519`);
  }
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (bits < RSA_BITS_MIN)
    throw new KeyFileError(`holds an RSA key of ${bits} bits; at least ${RSA_BITS_MIN} are needed`);
  return key;
}

function privateKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's words would not help, and nothing of the file may get into a message.
    const isEncrypted = pem.includes('ENCRYPTED');
    throw new KeyFileError(
      isEncrypted ? 'holds an encrypted key; decrypt it first' : 'holds no private key in PEM form',
    );
  }
}

function algorithmOf(key: KeyObject): SigningAlgorithm {
  return key.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256';
}

function stampOf({ mtimeMs, size, ino }: { mtimeMs: number; size: number; ino: number }): string {
  return `${mtimeMs} ${size} ${ino}`;
}

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new KeyFileError(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unreadable'})`);
  }
}
