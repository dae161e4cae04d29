/** The files that say who may use a REST listener, and who we are at the next hop, must be there and right before anything starts. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { parseTokens } from '../auth/tokens.ts';
import { UserError } from '../core/errors.ts';
import { readProblem } from './file-checks.ts';
import { findAll, textAt } from './path-pattern.ts';
import type { ConfigMistake, ConfigPath } from './source.ts';

type ResolvePath = (path: string) => string;
type Check = (bytes: Buffer, file: string) => string | undefined;

/** `hops`: the pattern of next hops over REST, `rest_endpoint.*` or `rest_output.*`. */
export function accessFileMistakes(root: unknown, hops: string, resolvePath: ResolvePath): ConfigMistake[] {
  const at = (path: ConfigPath, value: unknown, key: string, check: Check = () => undefined): ConfigMistake[] => {
    const named = textAt(value, key);
    if (named === undefined) return [];
    const why = problemOf(resolvePath(named), check);
    return why === undefined ? [] : [{ path: [...path, key], message: `'${key}': ${why}` }];
  };
  const ofListener = findAll(root, 'rest_listener').flatMap(({ path, value }) => [
    ...at(path, value, 'auth_tokens', tokensProblem),
    ...at(path, value, 'client_ca', authorityProblem),
  ]);
  const ofHops = findAll(root, hops).flatMap(({ path, value }) => [
    ...at(path, value, 'token_file', (bytes) => (bytes.toString().trim() === '' ? 'the file is empty' : undefined)),
    ...at(path, value, 'client_cert'),
    ...at(path, value, 'client_key'),
  ]);
  return [...ofListener, ...ofHops];
}

function problemOf(file: string, check: Check): string | undefined {
  try {
    return check(readFileSync(file), file);
  } catch (error) {
    return readProblem(file, error);
  }
}

function tokensProblem(bytes: Buffer, file: string): string | undefined {
  try {
    parseTokens(bytes.toString(), file);
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error.message;
  }
}

function authorityProblem(bytes: Buffer, file: string): string | undefined {
  if (!bytes.includes('-----BEGIN CERTIFICATE-----')) return `there is no certificate (PEM) in ${file}`;
  try {
    createSecureContext({ ca: bytes });
    return undefined;
  } catch (error) {
    return `${file}: ${(error as Error).message}`;
  }
}
