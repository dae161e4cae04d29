/** Keys of older generations (protocol §0.1) and what to write instead; and keys that are accepted but do nothing here. */
import { matchesPattern } from './path-pattern.ts';
import type { ConfigPath } from './source.ts';

const OLDER_KEYS: readonly (readonly [pattern: string, instead: string])[] = [
  ['global.gc_interval', "write 'gc_interval' under 'storage'"],
  ['global.tx_idle_timeout', "write 'downstream_timeout' in the endpoint's 'output_handler'"],
  ['rest_listener.use_gunicorn', 'leave it out'],
  ['rest_listener.use_fastapi', 'leave it out'],
  ['storage.db_filename', "write 'url: sqlite:///FILE'"],
  ['endpoint.*.rest_lro', 'leave it out, every endpoint works that way'],
  ['endpoint.*.sf_mode', "end the chain with 'filter: exploder', with 'msa: true' for submission"],
  ['endpoint.*.retry_params', "write it in 'output_handler', and 'retry: output_chain' at the sender"],
  ['endpoint.*.output_handler.downstream_env_timeout', "write 'downstream_timeout'"],
  ['endpoint.*.output_handler.downstream_data_timeout', "write 'downstream_timeout'"],
  ['endpoint.*.output_handler.retry_params.mode', "leave it out and write 'retry: output_chain' at the sender"],
  [
    'endpoint.*.output_handler.notification.mode',
    "leave it out and write 'notification: output_chain' at the sender of the mail",
  ],
  ['endpoint.*.output_handler.notification.host', "write 'sender', and 'tag', of the sender that takes the bounces"],
  ['rest_endpoint.*.host', "leave it out, 'endpoint' is the full URL http://HOST:PORT/senders/NAME/transactions"],
  ['rest_endpoint.*.http_host', "leave it out, 'endpoint' is the full URL http://HOST:PORT/senders/NAME/transactions"],
  ['rest_output.*.host', "leave it out, 'endpoint' is the full URL http://HOST:PORT/senders/NAME/transactions"],
  ['smtp_output.*', "write it under 'smtp_output.hosts', where the key is the tag of the transaction"],
];

const OLDER_STEP_KEYS: readonly (readonly [pattern: string, instead: string])[] = [
  ['add_route.output_chain', "write 'sender', and 'tag'"],
  ['router.destination.http_host', "write 'endpoint: NAME' of a 'rest_endpoint'"],
  ['router.policy.destination.http_host', "write 'endpoint: NAME' of a 'rest_endpoint'"],
  ['rest_output.http_host', "write a 'rest_endpoint' and route to it with 'filter: router'"],
  ['rest_output.remote_host_discovery', "write 'filter: dns_resolution' before it"],
];

const IGNORED_KEYS: readonly (readonly [pattern: string, why: string])[] = [
  ['logging', "Python's 'logging' has no effect here: write 'log: {level: info, format: json}'"],
  ['global.executor.watchdog_timeout', "'watchdog_timeout' has no effect: nothing blocks a thread here"],
  ['global.executor.*.watchdog_timeout', "'watchdog_timeout' has no effect: nothing blocks a thread here"],
  ['endpoint.*.msa', "'msa' has no effect on an endpoint: write 'msa: true' in its 'filter: exploder'"],
  [
    'storage.blob_tx_refresh_interval',
    "'blob_tx_refresh_interval' has no effect: every upload keeps its transaction alive",
  ],
  ['rest_listener.gc_interval', "'gc_interval' has no effect: what is to be forgotten is looked for every second"],
  [
    'smtp_listener.services.*.chunk_size',
    "'chunk_size' has no effect on a listener: write 'chunk_size' of its 'rest_output'",
  ],
  ['smtp_output.use_system_smtplib', "'use_system_smtplib' has no effect: there is one SMTP client"],
];

/** What to write instead of an unknown key of an older generation. */
export function olderKey(path: ConfigPath, key: string): string | undefined {
  return OLDER_KEYS.find(([pattern]) => matchesPattern(pattern, [...path, key]))?.[1];
}

/** The same for an option of a step; `path` is relative to the step. */
export function olderStepKey(filter: string, path: ConfigPath, key: string): string | undefined {
  return OLDER_STEP_KEYS.find(([pattern]) => matchesPattern(pattern, [filter, ...path, key]))?.[1];
}

/** Keys that stand in section 9 and change nothing; `path` patterns with the warning. */
export const ignoredKeys = IGNORED_KEYS;
