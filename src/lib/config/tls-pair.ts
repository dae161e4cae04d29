/** A certificate goes with its key. */
import { findAll, textAt } from './path-pattern.ts';
import type { TlsFiles } from './router-config.ts';
import type { ConfigMistake } from './source.ts';

/** For every mapping at `pattern`: `cert` and `key` are given both or not at all. */
export function tlsPairMistakes(root: unknown, pattern: string): ConfigMistake[] {
  return findAll(root, pattern).flatMap(({ path, value }) => {
    const cert = textAt(value, 'cert');
    const key = textAt(value, 'key');
    if (cert !== undefined && key === undefined) return [{ path, key: 'cert', message: "'cert' needs its 'key'" }];
    if (key !== undefined && cert === undefined) return [{ path, key: 'key', message: "'key' needs its 'cert'" }];
    return [];
  });
}

/** The pair as it stands in the configuration, when both are there. */
export function tlsFiles(
  yaml: { readonly cert?: string | null | undefined; readonly key?: string | null | undefined },
  resolvePath: (path: string) => string,
): { readonly tls?: TlsFiles } {
  return yaml.cert && yaml.key ? { tls: { cert: resolvePath(yaml.cert), key: resolvePath(yaml.key) } } : {};
}
