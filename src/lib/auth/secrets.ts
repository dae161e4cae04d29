/**
 * Secrets of SMTP submission (protocol §8.4): a JSON file `{"user": "<hex SHA-256 of the secret>"}`, read once at start. Plain SHA-256 is enough
 * because the secrets are random: `mintSecret` makes them, nobody chooses them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Rng } from '../core/deps.ts';
import { exitCodes, UserError } from '../core/errors.ts';

const SECRET_BYTES = 16;
const HASH = /^[0-9a-f]{64}$/i;

export interface Secrets {
  readonly userCount: number;
  /** Takes the same time for a wrong secret and for an unknown user. Users are compared case-sensitively. */
  verify(user: string, secret: string): boolean;
}

/** A new random secret, in characters that need no quoting. */
export function mintSecret(rng: Pick<Rng, 'bytes'>): string {
  return rng.bytes(SECRET_BYTES).toString('base64url');
}

/** What the file holds for a secret. */
export function hashSecret(secret: string): string {
  return digest(secret).toString('hex');
}

/** Throws `UserError` that names the file, and the user whose hash is none. */
export function loadSecrets(file: string): Secrets {
  return secretsOf(parse(file, read(file)), file);
}

function secretsOf(json: object, file: string): Secrets {
  const hashes = new Map<string, Buffer>();
  for (const [user, hash] of Object.entries(json)) {
    if (typeof hash !== 'string' || !HASH.test(hash))
      throw problem(file, `the hash of ${JSON.stringify(user)} is not a SHA-256 in hex; koukan smtp-auth prints one`);
    hashes.set(user, Buffer.from(hash, 'hex'));
  }
  const nobody = digest('');
  return {
    userCount: hashes.size,
    verify(user, secret) {
      const known = hashes.get(user);
      const isEqual = timingSafeEqual(digest(secret), known ?? nobody);
      return isEqual && known !== undefined;
    },
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new UserError(`${file}: cannot be read (${code})`, exitCodes.noInput);
  }
}

/** The message of the JSON parser is not passed on: it quotes the text, and the text is secrets. */
function parse(file: string, text: string): object {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw problem(file, 'not JSON');
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json;
  throw problem(file, 'not a JSON object of users and hashes, like {"ann": "9f86d081…"}');
}

function problem(file: string, what: string): UserError {
  return new UserError(`${file}: ${what}`, exitCodes.config);
}

function digest(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}
