/** What the router's schema cannot see: references between sections, and values that contradict each other. */
import { duplicateNames, namesOf, unknownReference } from './names.ts';
import { findAll, isMapping, textAt } from './path-pattern.ts';
import { differentCredentials, peerCredentialMistakes } from './peer-credentials.ts';
import { restAccessMistakes } from './rest-access.ts';
import { sessionMistakes } from './session-times.ts';
import type { ConfigMistake, ConfigPath } from './source.ts';
import { tlsPairMistakes } from './tls-pair.ts';

export function routerMistakes(root: unknown): ConfigMistake[] {
  return [
    ...tlsPairMistakes(root, 'rest_listener'),
    ...restAccessMistakes(root),
    ...peerCredentialMistakes(root, 'rest_endpoint.*'),
    ...differentCredentials(root, 'rest_endpoint.*'),
    ...duplicateNames(root, 'sender', 'a sender'),
    ...findAll(root, 'sender.*').flatMap(({ path }) => duplicateNames(root, `${path.join('.')}.tag`, 'a tag')),
    ...duplicateNames(root, 'rest_endpoint', 'a rest_endpoint'),
    ...duplicateNames(root, 'endpoint', 'an endpoint'),
    ...senderMistakes(root),
    ...notificationMistakes(root),
    ...retryMistakes(root),
    ...sessionMistakes(root),
  ];
}

interface SenderPlace {
  readonly path: ConfigPath;
  readonly value: unknown;
  /** The sender around a tag. */
  readonly family: unknown;
}

function senderPlaces(root: unknown): SenderPlace[] {
  return findAll(root, 'sender.*').flatMap(({ path, value }) => [
    { path, value, family: value },
    ...findAll(value, 'tag.*').map((tag) => ({ path: [...path, ...tag.path], value: tag.value, family: value })),
  ]);
}

function senderMistakes(root: unknown): ConfigMistake[] {
  const chains = namesOf(root, 'endpoint');
  const senders = namesOf(root, 'sender');
  return senderPlaces(root).flatMap(({ path, value, family }) => {
    const upstream = textAt(value, 'upstream_sender') ?? textAt(family, 'upstream_sender') ?? textAt(family, 'name');
    const tag = textAt(value, 'upstream_tag');
    return [
      ...unknownReference([...path, 'output_chain'], textAt(value, 'output_chain'), chains, 'endpoint'),
      ...unknownReference([...path, 'upstream_sender'], textAt(value, 'upstream_sender'), senders, 'sender'),
      ...tagReference(root, [...path, 'upstream_tag'], upstream, tag),
    ];
  });
}

/** A tag must be one of its sender's; says nothing when the sender itself is unknown, for that is a mistake of its own. */
function tagReference(
  root: unknown,
  path: ConfigPath,
  sender: string | undefined,
  tag: string | undefined,
): ConfigMistake[] {
  const family = findAll(root, 'sender.*').find(({ value }) => textAt(value, 'name') === sender);
  if (family === undefined) return [];
  return unknownReference(path, tag, namesOf(family.value, 'tag'), 'tag', ` of sender '${sender}'`);
}

function notificationMistakes(root: unknown): ConfigMistake[] {
  const senders = namesOf(root, 'sender');
  const hasMailbox = findAll(root, 'global.mailer_daemon_mailbox').some(({ value }) => typeof value === 'string');
  return findAll(root, 'endpoint.*.output_handler.notification').flatMap(({ path, value }) => {
    if (!isMapping(value)) return [];
    const sender = textAt(value, 'sender');
    const nobody: ConfigMistake = {
      path,
      key: 'sender',
      message: "notifications need 'global.mailer_daemon_mailbox', the address they come from",
    };
    return [
      ...unknownReference([...path, 'sender'], sender, senders, 'sender'),
      ...tagReference(root, [...path, 'tag'], sender, textAt(value, 'tag')),
      ...(hasMailbox ? [] : [nobody]),
    ];
  });
}

/** Pauses between attempts whose bounds contradict each other; a bound that is left out has its default, which is meant to give way. */
function retryMistakes(root: unknown): ConfigMistake[] {
  return findAll(root, 'endpoint.*.output_handler.retry_params').flatMap(({ path, value }) => {
    if (!isMapping(value)) return [];
    const { min_attempt_time: min, max_attempt_time: max } = value;
    if (typeof min !== 'number' || typeof max !== 'number' || min <= max) return [];
    const message = `'max_attempt_time' (${max}) must not be less than 'min_attempt_time' (${min})`;
    return [{ path: [...path, 'max_attempt_time'], message }];
  });
}

/** Senders that ask for bounces which nobody is configured to take. */
export function routerWarnings(root: unknown): ConfigMistake[] {
  return senderPlaces(root).flatMap(({ path, value, family }) => {
    if (textAt(value, 'notification') === undefined) return [];
    const chainName = textAt(value, 'output_chain') ?? textAt(family, 'output_chain');
    const chain = findAll(root, 'endpoint.*').find((each) => textAt(each.value, 'name') === chainName);
    const isTaken =
      chain === undefined || findAll(chain.value, 'output_handler.notification').some((n) => isMapping(n.value));
    if (isTaken) return [];
    const message = `no bounces will be sent: endpoint '${chainName}' has no 'output_handler.notification'`;
    return [{ path: [...path, 'notification'], message }];
  });
}
