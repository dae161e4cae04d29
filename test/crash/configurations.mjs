/** The YAML of the programs that are crashed: an application, a submission that stores, and one that waits for the far end's own answer. */

import { SILENT_SECONDS } from './clients.mjs';

const FAR_END_SECONDS = 60;
/** From one attempt to the next. */
export const RETRY_SECONDS = 1;
/** A conversation of a gateway that was killed is over after that; a run would wait for it for a minute, although nobody was promised anything. */
const HANDLER = `downstream_timeout: ${SILENT_SECONDS}`;

/** Of a router; with `cluster`, one of several. `far` is the port of the far end, `out` that of the gateway; what is finished is kept for `gcSeconds`. */
export function routerYaml({ url, rest, service, out, far, policy, cluster, gcSeconds, log = 'warn' }, life) {
  const session = cluster
    ? `, session_refresh_interval: ${cluster.refreshSeconds}, session_ttl: ${cluster.ttlSeconds}`
    : '';
  const garbage = gcSeconds === undefined ? '' : `, gc_interval: 1, gc_ttl: ${gcSeconds}`;
  return `
global: {mailer_daemon_mailbox: mailer-daemon@example.com}
rest_listener:
  addr: [127.0.0.1, ${rest}]
  session_uri: http://127.0.0.1:${rest}
  service_uri: http://127.0.0.1:${service}
storage: {url: '${url}'${session}${garbage}}
log: {level: ${log}, format: json}
sender:
- {name: app, output_chain: deliver, retry: output_chain, notification: output_chain, uncertain: ${policy}}
- {name: bounces, output_chain: deliver, retry: output_chain, uncertain: ${policy}}
- name: msa
  open_relay: true
  output_chain: deliver
  uncertain: ${policy}
  tag:
  - {name: smtp, output_chain: stored, upstream_tag: out}
  - {name: wait, output_chain: waiting, upstream_tag: out}
  - {name: out, output_chain: deliver}
rest_endpoint:
- {name: gateway, endpoint: 'http://127.0.0.1:${out}/senders/router/transactions', sender: router, tag: outbound}
endpoint:
- {name: stored, output_handler: {${HANDLER}}, chain: [{filter: exploder, msa: true, rcpt_timeout: 0, data_timeout: 0}]}
- {name: waiting, output_handler: {${HANDLER}}, chain: [{filter: exploder, msa: true, rcpt_timeout: 5, data_timeout: 5}]}
- name: deliver
  output_handler:
    ${HANDLER}
    retry_params: {max_attempts: 1000, min_attempt_time: ${RETRY_SECONDS}, max_attempt_time: ${RETRY_SECONDS}, deadline: 3600}
    notification: {sender: bounces}
  chain:
  - {filter: message_builder}
  - {filter: received_header, received_hostname: ${life}}
  - {filter: router, destination: {endpoint: gateway, host_list: [{host: 127.0.0.1, port: ${far}}]}}
  - {filter: rest_output}
`;
}

/**
 * Of a gateway: one listener for mail that is stored, one for mail that is cut through. It waits for the far end for longer than a busy machine takes:
 * an answer that it does not wait for is lost, and nobody was disturbed who could explain that.
 */
export function gatewayYaml({ port, smtp, cut, service, log = 'silent' }, life) {
  return `
rest_listener: {addr: [127.0.0.1, ${port}], session_uri: 'http://127.0.0.1:${port}'}
smtp_output: {hosts: {outbound: {ehlo_host: ${life}, timeout: ${FAR_END_SECONDS}}}}
smtp_listener:
  services:
  - {addr: [127.0.0.1, ${smtp}], endpoint: router, sender: msa, tag: smtp}
  - {addr: [127.0.0.1, ${cut}], endpoint: router, sender: msa, tag: wait}
rest_output: [{name: router, endpoint: 'http://127.0.0.1:${service}/senders/msa/transactions'}]
log: {level: ${log}, format: text}
`;
}
