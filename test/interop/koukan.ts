/** A router and a gateway of ours over real sockets, each with a REST port of its own, in front of a scripted SMTP destination. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseGatewayConfig, parseRouterConfig } from '../../src/lib/config/load.ts';
import { startDaemon } from '../../src/lib/daemon/daemon.ts';
import { systemRng } from '../../src/lib/ops/rng.ts';
import { type Sink, type SinkOptions, startSink } from '../../src/lib/smtp/sink/sink.ts';
import { fakeDns, type LogLine, memoryLog, realClock } from '../helpers/fake-deps.ts';
import { freePort } from '../helpers/journey-ports.ts';

export interface Koukan {
  readonly router: string;
  readonly gateway: string;
  /** Ports of the gateway: mail from the world (with BDAT), submission. */
  readonly mx: number;
  readonly msa: number;
  readonly sink: Sink;
  readonly log: readonly LogLine[];
  stop(): Promise<void>;
}

export interface KoukanOptions {
  readonly join?: 'call' | 'http';
  readonly sink?: SinkOptions;
  /** Where the chain `deliver` sends to, instead of our own gateway: a full create URL. */
  readonly nextHop?: string;
  /** Options of the `rest_output` of that chain. */
  readonly restOutput?: string;
  /** Options of the route of that chain: what goes to the next hop with a message. */
  readonly routeOptions?: string;
  /** More filters of that chain, each a line of YAML. */
  readonly filters?: string;
  /** Options of the `exploder` of the chains `mx` and `msa`. */
  readonly exploder?: string;
  /** Options of one SMTP profile. */
  readonly profile?: string;
  /** Options of both SMTP services. */
  readonly service?: string;
  /** Where the gateway's listeners send to, instead of our own router: a full create URL. */
  readonly listenerHop?: string;
  /** More of the `output_handler` of that chain. */
  readonly handler?: string;
  /** Options of the gateway's way to the router. */
  readonly listenerOutput?: string;
}

export async function startKoukan(options: KoukanOptions = {}): Promise<Koukan> {
  const folder = await mkdtemp(join(tmpdir(), 'koukan-interop-'));
  const [routerPort, gatewayPort, mx, msa] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const sink = await startSink(options.sink);
  const [router, gateway] = [`http://127.0.0.1:${routerPort}`, `http://127.0.0.1:${gatewayPort}`];
  const log = memoryLog();
  const deps = { clock: realClock, rng: systemRng, dns: fakeDns(), log };
  const place = { router, gateway, routerPort, gatewayPort, mx, msa, sinkPort: sink.port, folder };
  const daemon = await startDaemon({
    router: parseRouterConfig(routerYaml(place, options), join(folder, 'router.yaml')),
    gateway: parseGatewayConfig(gatewayYaml(place, options), join(folder, 'gateway.yaml')),
    join: options.join ?? 'http',
    deps,
  });
  return {
    router,
    gateway,
    mx,
    msa,
    sink,
    log: log.lines,
    async stop() {
      await daemon.stop(AbortSignal.abort());
      await sink.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

interface Place {
  readonly router: string;
  readonly gateway: string;
  readonly routerPort: number;
  readonly gatewayPort: number;
  readonly mx: number;
  readonly msa: number;
  readonly sinkPort: number;
  readonly folder: string;
}

function routerYaml({ router, routerPort, gateway, sinkPort, folder }: Place, options: KoukanOptions): string {
  const { nextHop = `${gateway}/senders/router/transactions`, restOutput = '', exploder = '' } = options;
  const { routeOptions = '{}', filters = '' } = options;
  return `global: {mailer_daemon_mailbox: mailer-daemon@koukan.example}
rest_listener: {addr: [127.0.0.1, ${routerPort}], session_uri: '${router}', service_uri: 'http://localhost:${routerPort}', chunk_size: 65536}
storage: {url: 'sqlite:///${folder}/koukan.sqlite'}
rest_endpoint: [{name: next, endpoint: '${nextHop}', sender: router, tag: outbound}]
sender:
- name: ingress
  open_relay: true
  output_chain: deliver
  tag: [{name: smtp, output_chain: mx, upstream_tag: out}, {name: out}]
- name: submission
  open_relay: true
  output_chain: deliver
  tag: [{name: smtp, output_chain: msa, upstream_tag: out}, {name: out}]
- {name: app, output_chain: deliver, retry: output_chain, notification: output_chain, tag: [{name: oneshot, retry: null, notification: null}]}
- {name: bounces, output_chain: deliver, retry: output_chain}
endpoint:
- name: mx
  chain:
  - {filter: policy_action, tag: mail, match: {matcher: invalid_mail_from}, action: REJECT, code: 501, message: 5.1.7 bad sender address}
  - filter: policy_action
    tag: rcpt
    mode: PER_RCPT
    match: {matcher: invalid_rcpt_to}
    action: REJECT
    code: 501
    message: 5.1.3 bad recipient address
  - {filter: exploder${exploder}}
- {name: msa, chain: [{filter: exploder, msa: true, rcpt_timeout: 2, data_timeout: 3${exploder}}]}
- name: deliver
  output_handler:
    ${options.handler ?? 'downstream_timeout: 60'}
    retry_params: {max_attempts: 3, min_attempt_time: 0, max_attempt_time: 1}
    notification: {sender: bounces}
  chain:
  - {filter: message_builder}
  - {filter: received_header, received_hostname: koukan.example}
  - {filter: router, destination: {endpoint: next, host_list: [{host: 127.0.0.1, port: ${sinkPort}}], options: ${routeOptions}}}
  ${filters}
  - {filter: rest_output${restOutput}}
`;
}

function gatewayYaml(place: Place, options: KoukanOptions): string {
  const { router, gateway, gatewayPort, mx, msa } = place;
  const { profile = '', service = '', listenerHop, listenerOutput = '' } = options;
  const hop = (sender: string): string => listenerHop ?? `${router}/senders/${sender}/transactions`;
  return `rest_listener: {addr: [127.0.0.1, ${gatewayPort}], session_uri: '${gateway}'}
smtp_output: {hosts: {outbound: {ehlo_host: koukan.example, timeout: 300${profile}}}}
smtp_listener:
  services:
  - {addr: [127.0.0.1, ${mx}], endpoint: ingress, sender: ingress, tag: smtp, enable_bdat: true${service}}
  - {addr: [127.0.0.1, ${msa}], endpoint: submission, sender: submission, tag: smtp${service}}
rest_output:
- {name: ingress, endpoint: '${hop('ingress')}'${listenerOutput}}
- {name: submission, endpoint: '${hop('submission')}'${listenerOutput}}
`;
}
