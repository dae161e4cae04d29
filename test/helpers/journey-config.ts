/** The configuration of journeys: the local environment in small, with ports of its own, short times, and one far end for everything. */

export interface JourneyPorts {
  readonly router: number;
  readonly gateway: number;
  /** SMTP: mail from the world, and submission. */
  readonly mx: number;
  readonly msa: number;
  readonly far: number;
}

export interface JourneyTimes {
  /** Seconds the exploder of submission waits before it stores. */
  readonly msaRcpt?: number;
  readonly msaData?: number;
  /** Seconds the exploder of ingress waits before it says 4xx. */
  readonly mxRcpt?: number;
  readonly mxData?: number;
  /** Seconds between two signs of life of a router, and until the others give it up. */
  readonly sessionRefresh?: number;
  readonly sessionTtl?: number;
  /** Seconds after which a gateway forgets a transaction its router is silent about. */
  readonly gatewayTxTtl?: number;
  /** Seconds that a transaction is kept after its end; a day where nobody says. */
  readonly gcTtl?: number;
}

export function routerYaml(ports: JourneyPorts, databaseUrl: string, times: JourneyTimes = {}): string {
  const { msaRcpt = 1, msaData = 2, mxRcpt = 20, mxData = 20, sessionRefresh = 1, sessionTtl = 60 } = times;
  const { gcTtl = 86_400 } = times;
  return `global:
  mailer_daemon_mailbox: mailer-daemon@koukan.example
rest_listener:
  addr: [127.0.0.1, ${ports.router}]
  session_uri: http://127.0.0.1:${ports.router}
storage:
  url: ${databaseUrl}
  session_refresh_interval: ${sessionRefresh}
  session_ttl: ${sessionTtl}
  gc_ttl: ${gcTtl}
  gc_interval: ${Math.min(gcTtl, 60)}
log: {level: info, format: text}
rest_endpoint:
- {name: gateway, endpoint: 'http://127.0.0.1:${ports.gateway}/senders/router/transactions', sender: router, tag: outbound}
sender:
- name: ingress
  open_relay: true
  output_chain: deliver
  tag: [{name: smtp, output_chain: mx, upstream_tag: out}, {name: out}]
- name: submission
  open_relay: true
  output_chain: deliver
  tag: [{name: smtp, output_chain: msa, upstream_tag: out}, {name: out}]
- name: app
  output_chain: deliver
  retry: output_chain
  notification: output_chain
- {name: holds, output_chain: deliver, retry: output_chain, notification: output_chain, uncertain: hold}
- {name: asks, output_chain: deliver, retry: output_chain, notification: output_chain, uncertain: ask}
- name: bounces
  output_chain: deliver
  retry: output_chain
endpoint:
- name: mx
  chain: [{filter: exploder, rcpt_timeout: ${mxRcpt}, data_timeout: ${mxData}}]
- name: msa
  chain: [{filter: exploder, msa: true, rcpt_timeout: ${msaRcpt}, data_timeout: ${msaData}}]
- name: deliver
  output_handler:
    retry_params: {max_attempts: null, min_attempt_time: 0, max_attempt_time: 1}
    notification: {sender: bounces}
  chain:
  - {filter: message_builder}
  - {filter: received_header, received_hostname: koukan.example}
  - {filter: router, destination: {endpoint: gateway, host_list: [{host: 127.0.0.1, port: ${ports.far}}]}}
  - {filter: rest_output, rcpt_timeout: 30, data_timeout: 60}
`;
}

export function gatewayYaml(ports: JourneyPorts, times: JourneyTimes = {}): string {
  return `rest_listener:
  addr: [127.0.0.1, ${ports.gateway}]
  session_uri: http://127.0.0.1:${ports.gateway}
  gc_tx_ttl: ${times.gatewayTxTtl ?? 600}
smtp_output:
  hosts: {outbound: {ehlo_host: koukan.example, timeout: 300}}
smtp_listener:
  services:
  - {addr: [127.0.0.1, ${ports.mx}], endpoint: ingress, sender: ingress, tag: smtp, enable_bdat: true}
  - {addr: [127.0.0.1, ${ports.msa}], endpoint: submission, sender: submission, tag: smtp}
rest_output:
- {name: ingress, endpoint: 'http://127.0.0.1:${ports.router}/senders/ingress/transactions'}
- {name: submission, endpoint: 'http://127.0.0.1:${ports.router}/senders/submission/transactions'}
log: {level: info, format: text}
`;
}
