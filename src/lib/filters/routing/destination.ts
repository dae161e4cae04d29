/** The destination of a router: names a rest endpoint, and becomes a route of its own that no other destination shares. */
import { z } from 'zod';
import type { RestEndpointConfig } from '../../config/router-config.ts';
import type { ConfigMistake, ConfigPath } from '../../config/source.ts';
import { nearestName } from '../../core/nearest-name.ts';
import type { Route } from '../../core/route.ts';
import { receiveParsingMistake } from './receive-parsing.ts';

const hostPort = z.strictObject({
  host: z
    .string()
    .min(1)
    .describe('A name or an address; a gateway takes addresses only, `dns_resolution` finds them.'),
  port: z.int().min(1).max(65_535).describe('Its port.'),
});

export const destinationSchema = z.strictObject({
  endpoint: z.string().min(1).nullish().describe('Name of a rest_endpoint.'),
  host_list: z.array(hostPort).nullish().describe('Hosts to offer the message to, in this order.'),
  options: z.record(z.string(), z.unknown()).nullish().describe('Laid over the options of the rest_endpoint.'),
});

export type Destination = z.output<typeof destinationSchema>;

/** `null` is the empty destination: the recipient exists, and goes nowhere yet (dry runs). */
export function routeTo(
  destination: Destination | null,
  endpoints: ReadonlyMap<string, RestEndpointConfig>,
  path: ConfigPath,
  mistakes: ConfigMistake[],
): Route {
  const name = destination?.endpoint ?? undefined;
  const endpoint = name === undefined ? undefined : endpoints.get(name);
  if (name !== undefined && endpoint === undefined) mistakes.push(unknownEndpoint(name, endpoints, path));
  mistakes.push(...optionMistakes(destination, endpoint, path));
  return {
    ...(endpoint && { endpoint: endpoint.endpoint, sender: endpoint.sender }),
    ...(endpoint?.tag !== undefined && { tag: endpoint.tag }),
    hosts: destination?.host_list ?? [],
    // A copy to the last leaf: what one route's output does with its options cannot reach another's.
    options: structuredClone({ ...endpoint?.options, ...destination?.options }),
  };
}

/** Of the options this program knows; an application may understand others. */
function optionMistakes(
  destination: Destination | null,
  endpoint: RestEndpointConfig | undefined,
  path: ConfigPath,
): readonly ConfigMistake[] {
  const own = destination?.options ?? {};
  const key = 'receive_parsing';
  const source = Object.hasOwn(own, key) ? own : (endpoint?.options ?? {});
  const mistake = Object.hasOwn(source, key) ? receiveParsingMistake(source[key]) : undefined;
  if (mistake === undefined) return [];
  if (source === own) return [{ ...mistake, path: [...path, 'options', key, ...mistake.path] }];
  return [{ path: [...path, 'endpoint'], message: `options of rest_endpoint '${endpoint?.name}': ${mistake.message}` }];
}

function unknownEndpoint(name: string, endpoints: ReadonlyMap<string, unknown>, path: ConfigPath): ConfigMistake {
  const at = [...path, 'endpoint'];
  if (name.includes('://')) {
    return { path: at, message: `'endpoint' is the name of a rest_endpoint, not a URL: define one and name it here` };
  }
  const suggestion = nearestName(name, endpoints.keys());
  return { path: at, message: `unknown rest_endpoint '${name}'`, ...(suggestion !== undefined && { suggestion }) };
}
