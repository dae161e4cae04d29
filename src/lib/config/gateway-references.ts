/** What the gateway's schema cannot see: references between sections, and values that contradict each other. */
import { duplicateNames, namesOf, unknownReference } from './names.ts';
import { findAll, isMapping, textAt } from './path-pattern.ts';
import { peerCredentialMistakes } from './peer-credentials.ts';
import { restAccessMistakes } from './rest-access.ts';
import type { ConfigMistake } from './source.ts';
import { tlsPairMistakes } from './tls-pair.ts';

export function gatewayMistakes(root: unknown): ConfigMistake[] {
  return [
    ...tlsPairMistakes(root, 'rest_listener'),
    ...restAccessMistakes(root),
    ...peerCredentialMistakes(root, 'rest_output.*'),
    ...tlsPairMistakes(root, 'smtp_listener.services.*'),
    ...duplicateNames(root, 'rest_output', 'a rest_output'),
    ...sameAddresses(root),
    ...serviceMistakes(root),
  ];
}

function serviceMistakes(root: unknown): ConfigMistake[] {
  const outputs = namesOf(root, 'rest_output');
  return findAll(root, 'smtp_listener.services.*').flatMap(({ path, value }) => {
    if (!isMapping(value)) return [];
    const mistakes = unknownReference([...path, 'endpoint'], textAt(value, 'endpoint'), outputs, 'rest_output');
    if (value.smtps === true) {
      if (textAt(value, 'cert') === undefined) {
        mistakes.push({ path, key: 'smtps', message: "'smtps' needs 'cert' and 'key'" });
      }
      if (value.proxy_protocol_timeout !== undefined && value.proxy_protocol_timeout !== null) {
        const message = "the PROXY protocol does not go together with 'smtps'";
        mistakes.push({ path, key: 'proxy_protocol_timeout', message });
      }
    }
    return mistakes;
  });
}

/** Two listeners cannot share an address; port 0 takes a free one each time. */
function sameAddresses(root: unknown): ConfigMistake[] {
  const seen = new Set<string>();
  const addresses = [...findAll(root, 'rest_listener.addr'), ...findAll(root, 'smtp_listener.services.*.addr')];
  return addresses.flatMap(({ path, value }) => {
    const [host, port] = Array.isArray(value) ? (value as unknown[]) : [];
    if (typeof port !== 'number' || port === 0) return [];
    const address = `${String(host)}:${port}`;
    if (seen.has(address)) return [{ path, message: `there is already a listener at ${address}` }];
    seen.add(address);
    return [];
  });
}

export function gatewayWarnings(root: unknown): ConfigMistake[] {
  return findAll(root, 'smtp_listener.services.*').flatMap(({ path, value }) => {
    if (textAt(value, 'auth_secrets') === undefined || textAt(value, 'cert') !== undefined) return [];
    const message = "AUTH is only offered over TLS: without 'cert' and 'key' nobody can use 'auth_secrets'";
    return [{ path, key: 'auth_secrets', message }];
  });
}
