/** Routes to host names in chains that never ask DNS: a gateway connects to addresses only, so such mail would wait for ever. */
import { isIP } from 'node:net';
import { findAll, isMapping, textAt } from './path-pattern.ts';
import type { ConfigMistake } from './source.ts';

/** A warning for each name; a chain whose recipients are only looked up (`dry_run`) sends nothing there. */
export function unresolvedHostWarnings(root: unknown): ConfigMistake[] {
  return findAll(root, 'endpoint.*').flatMap((endpoint) => {
    const steps = findAll(endpoint.value, 'chain.*');
    if (steps.some(({ value }) => textAt(value, 'filter') === 'dns_resolution')) return [];
    const routers = steps.filter(
      ({ value }) => isMapping(value) && value.filter === 'router' && value.dry_run !== true,
    );
    return routers.flatMap(({ path, value }) =>
      [...findAll(value, 'destination.host_list.*'), ...findAll(value, 'policy.destination.host_list.*')].flatMap(
        (at) => {
          const host = textAt(at.value, 'host');
          if (host === undefined || isIP(host) !== 0) return [];
          const message = `a gateway takes addresses, and '${host}' is a name: add 'filter: dns_resolution' to this chain`;
          return [{ path: [...endpoint.path, ...path, ...at.path, 'host'], message }];
        },
      ),
    );
  });
}
