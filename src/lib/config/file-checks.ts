/** Files a configuration names must be there and readable before anything starts: certificates, keys, secrets. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { findAll, isMapping, textAt } from './path-pattern.ts';
import type { ConfigMistake, ConfigPath } from './source.ts';

type ResolvePath = (path: string) => string;

/** Reads every file at these places (patterns of mappings) and says what is wrong with them. */
export function fileMistakes(root: unknown, tlsPlaces: readonly string[], resolvePath: ResolvePath): ConfigMistake[] {
  const mistakes = tlsPlaces
    .flatMap((pattern) => findAll(root, pattern))
    .flatMap(({ path, value }) => {
      const cert = readFile(path, 'cert', textAt(value, 'cert'), resolvePath);
      const key = readFile(path, 'key', textAt(value, 'key'), resolvePath);
      const secrets = secretsMistakes(path, textAt(value, 'auth_secrets'), resolvePath);
      return [...cert.mistakes, ...key.mistakes, ...pairMistakes(path, cert.bytes, key.bytes), ...secrets];
    });
  const authorities = findAll(root, 'rest_output.*').flatMap(
    ({ path, value }) => readFile(path, 'verify', textAt(value, 'verify'), resolvePath).mistakes,
  );
  return [...mistakes, ...authorities];
}

interface ReadFile {
  readonly bytes?: Buffer;
  readonly mistakes: ConfigMistake[];
}

function readFile(path: ConfigPath, key: string, file: string | undefined, resolvePath: ResolvePath): ReadFile {
  if (file === undefined) return { mistakes: [] };
  const full = resolvePath(file);
  try {
    return { bytes: readFileSync(full), mistakes: [] };
  } catch (error) {
    return { mistakes: [{ path: [...path, key], message: `'${key}': ${readProblem(full, error)}` }] };
  }
}

/** Why a file could not be read, in words. */
export function readProblem(file: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code ?? String(error);
  const words: Readonly<Record<string, string>> = {
    ENOENT: 'there is no file',
    EACCES: 'no permission to read',
    EISDIR: 'expected a file, not the directory',
    ENOTDIR: 'there is no file',
  };
  return `${words[code] ?? `cannot read (${code})`} ${file}`;
}

/** The newest that works: listeners mostly share one. */
let working: { readonly cert: Buffer; readonly key: Buffer } | undefined;

function pairMistakes(path: ConfigPath, cert: Buffer | undefined, key: Buffer | undefined): ConfigMistake[] {
  if (cert === undefined || key === undefined) return [];
  if (working?.cert.equals(cert) && working.key.equals(key)) return [];
  try {
    // Nobody is to be trusted with it, and to read all that Node trusts takes 5 ms.
    createSecureContext({ cert, key, ca: [] });
    working = { cert, key };
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [{ path, key: 'cert', message: `'cert' and 'key' are no working pair: ${why}` }];
  }
}

function secretsMistakes(path: ConfigPath, file: string | undefined, resolvePath: ResolvePath): ConfigMistake[] {
  const { bytes, mistakes } = readFile(path, 'auth_secrets', file, resolvePath);
  if (bytes === undefined || isSecretsJson(bytes)) return mistakes;
  const message = `'auth_secrets': expected a JSON mapping of user to hash in ${file}`;
  return [{ path: [...path, 'auth_secrets'], message }];
}

function isSecretsJson(bytes: Buffer): boolean {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return isMapping(value) && Object.values(value).every((hash) => typeof hash === 'string');
  } catch {
    return false;
  }
}
