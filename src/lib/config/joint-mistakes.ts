/** What is wrong between a router and a gateway that are to work together: names one uses and the other does not know. */

import { nearestName } from '../core/nearest-name.ts';
import type { GatewayConfig, SmtpServiceConfig } from './gateway-config.ts';
import { type PlacedMistake, placeMistakes } from './invalid-config.ts';
import { isOwnUrl, senderInUrl } from './own-url.ts';
import type { RouterConfig } from './router-config.ts';
import type { ConfigMistake } from './source.ts';

/** Only URLs that name a listener of the other file are looked at; anything else may be another machine. */
export function jointMistakes(router: RouterConfig, gateway: GatewayConfig): readonly PlacedMistake[] {
  const ofGateway = gateway.services.flatMap((service, i) => serviceMistakes(service, i, router, gateway));
  const ofRouter = [...router.restEndpoints.values()].flatMap(({ endpoint, tag }, i): ConfigMistake[] => {
    if (!isOwnUrl(endpoint, gateway.restListener) || gateway.smtpOutputs.has(tag ?? '')) return [];
    const path = ['rest_endpoint', i, ...(tag === undefined ? [] : ['tag'])];
    return [unknown('smtp_output host', tag, gateway.smtpOutputs.keys(), gateway.source.file, path)];
  });
  return [...placeMistakes(gateway.source, ofGateway), ...placeMistakes(router.source, ofRouter)];
}

function serviceMistakes(
  { endpoint, tag }: SmtpServiceConfig,
  index: number,
  router: RouterConfig,
  gateway: GatewayConfig,
): ConfigMistake[] {
  const output = gateway.restOutputs.get(endpoint);
  if (output === undefined || !isOwnUrl(output.endpoint, router.restListener)) return [];
  const sender = senderInUrl(output.endpoint) ?? '';
  const family = router.senders.get(sender);
  const { file } = router.source;
  if (family === undefined) {
    const path = ['rest_output', [...gateway.restOutputs.keys()].indexOf(endpoint), 'endpoint'];
    return [unknown('sender', sender, router.senders.keys(), file, path)];
  }
  if (tag === undefined || family.tags.has(tag)) return [];
  return [
    unknown(`tag of sender '${sender}'`, tag, family.tags.keys(), file, ['smtp_listener', 'services', index, 'tag']),
  ];
}

function unknown(
  what: string,
  name: string | undefined,
  known: Iterable<string>,
  file: string,
  path: ConfigMistake['path'],
): ConfigMistake {
  const names = [...known];
  const suggestion = name === undefined ? undefined : nearestName(name, names);
  const list = names.length === 0 ? 'none' : names.join(', ');
  return {
    path,
    message: `${file} has no ${what} '${name ?? ''}'; it has ${list}`,
    ...(suggestion !== undefined && { suggestion }),
  };
}
