/** The files that say who may use a REST listener, and who we are at the next hop, must be there and right before anything starts. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { parseTokens } from '../auth/tokens.ts';
import { UserError } from '../core/errors.ts';
import { nearestName } from '../core/nearest-name.ts';
import { readProblem } from './file-checks.ts';
import { namesOf } from './names.ts';
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
  const senders = hops === 'rest_endpoint.*' ? namesOf(root, 'sender') : undefined;
  const ofListener = findAll(root, 'rest_listener').flatMap(({ path, value }) => [
    ...at(path, value, 'auth_tokens', (bytes, file) => tokensProblem(bytes, file, senders)),
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

/** `senders`: those of a router; a gateway takes any name. */
function tokensProblem(bytes: Buffer, file: string, senders: ReadonlySet<string> | undefined): string | undefined {
  try {
    const { grants } = parseTokens(bytes.toString(), file);
    const named = grants.flatMap((grant) =>
      grant.senders === 'any' ? [] : [...grant.senders].map((to) => ({ grant, to })),
    );
    const wrong = named.find(({ to }) => senders !== undefined && !senders.has(to));
    if (wrong === undefined) return undefined;
    const nearest = nearestName(wrong.to, [...(senders ?? [])]);
    const hint = nearest === undefined ? '' : ` (did you mean '${nearest}'?)`;
    return `${file}: ${JSON.stringify(wrong.grant.name)}: there is no sender '${wrong.to}'${hint}`;
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
