/**
 * `rest_output`: offers the message to the routed next hop, one host of the resolution after the other until one does not refuse MAIL
 * temporarily. The hop is asked once the recipient is known, because routing happens at RCPT.
 */
import { accessSync, constants } from 'node:fs';
import { z } from 'zod';
import { type ChainEnv, defineOutput, type TxContext } from '../chain/filter.ts';
import type { SenderConfig } from '../config/router-config.ts';
import { ConfigError } from '../config/source.ts';
import type { Body } from '../core/body.ts';
import { type HostPort, withOverrides } from '../core/envelope.ts';
import { InvariantError, must } from '../core/errors.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Hop } from '../core/hop.ts';
import type { Mailbox } from '../core/mailbox.ts';
import { type HopBodyNotes, hopBody } from '../core/parsed-message.ts';
import { cancelledReply, mailFailed } from '../core/precondition.ts';
import { isOk, isTemporary, type Response, reply } from '../core/response.ts';
import { DsnOffers } from './dsn-offer.ts';
import { resolutionFailure } from './resolution-failure.ts';

const config = z
  .strictObject({
    rcpt_timeout: z.number().positive().default(30).describe('Seconds to wait for the answer to MAIL and RCPT.'),
    data_timeout: z.number().positive().default(300).describe('Seconds to wait for the answer to DATA.'),
    chunk_size: z.int().positive().optional().describe('Uploads larger than this many bytes are sent in ranges.'),
    verify: z
      .union([z.boolean(), z.string()])
      .default(true)
      .describe('Verify the certificate of the hop, or the CA file to verify it with.'),
    static_endpoint: z.url().optional().describe('A fixed create URL, for a chain without a router.'),
  })
  .transform((c) => ({
    rcptTimeoutMs: c.rcpt_timeout * 1000,
    dataTimeoutMs: c.data_timeout * 1000,
    staticEndpoint: c.static_endpoint,
    hop: { verify: c.verify, ...(c.chunk_size !== undefined && { chunkSize: c.chunk_size }) },
  }));

type RestOutputConfig = z.output<typeof config>;

export const restOutput = defineOutput<RestOutputConfig>({
  name: 'rest_output',
  summary: 'Sends the message to the next hop over REST: a gateway, another router, or an application.',
  incremental: false,
  config,
  create: (c, env) => {
    const offers = new DsnOffers();
    const found = { ...c, hop: { ...c.hop, verify: caFile(c.hop.verify, env) } };
    const hops = new Map<string, Hop>();
    const hopAt = (endpoint: string): Hop => {
      const hop = hops.get(endpoint) ?? env.hop(endpoint, found.hop);
      hops.set(endpoint, hop);
      return hop;
    };
    return (tx) => new RestExchange({ config: found, env, offers, hopAt }, tx);
  },
});

/** Throws `ConfigError` when the CA file cannot be read: at load, not with the first message. */
function caFile(verify: boolean | string, { resolvePath }: ChainEnv): boolean | string {
  if (typeof verify === 'boolean') return verify;
  const file = resolvePath(verify);
  try {
    accessSync(file, constants.R_OK);
    return file;
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    throw new ConfigError([{ path: ['verify'], message: `the CA file ${file} cannot be read (${code})` }]);
  }
}

/** What all transactions of one chain share. */
interface RestOutput {
  readonly config: RestOutputConfig;
  readonly env: ChainEnv;
  readonly offers: DsnOffers;
  /** By create URL: configuration names a few, and every message asks for one of them. */
  readonly hopAt: (endpoint: string) => Hop;
}

class RestExchange implements Exchange {
  readonly #output: RestOutput;
  readonly #tx: TxContext;
  #from: Mailbox | undefined;
  #hop: Exchange | undefined;
  #answerMail: (response: Response) => void = () => undefined;
  #isClosed = false;

  constructor(output: RestOutput, tx: TxContext) {
    this.#output = output;
    this.#tx = tx;
  }

  mail(from: Mailbox): Promise<Response> {
    this.#from = from;
    return new Promise((resolve) => {
      this.#answerMail = resolve;
    });
  }

  async rcpt(to: Mailbox): Promise<Response> {
    must(this.#from !== undefined, 'MAIL comes before RCPT');
    if (this.#isClosed) return cancelledReply;
    if (this.#hop !== undefined) return this.#hop.rcpt(to);
    const endpoint = this.#tx.route?.endpoint ?? this.#output.config.staticEndpoint;
    if (endpoint === undefined) return this.#refuse(reply(550, '5.1.2', 'no route to the recipient'));
    const unresolved = resolutionFailure(this.#tx);
    if (unresolved !== undefined) return this.#refuse(unresolved);
    const hosts = this.#tx.resolution ?? this.#tx.route?.hosts ?? [];
    return this.#offer(endpoint, hosts.length === 0 ? [undefined] : hosts, this.#from, to);
  }

  data(body: Body): Promise<Response> {
    if (this.#hop === undefined) return Promise.reject(new InvariantError('DATA follows an accepted RCPT'));
    return this.#hop.data(hopBody(body, this.#notes()));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#answerMail(cancelledReply);
    await this.#hop?.close();
  }

  /** Nothing was asked upstream: MAIL itself is fine, the recipient is not. */
  #refuse(response: Response): Response {
    this.#answerMail(reply(250, '2.1.0', 'ok'));
    return response;
  }

  async #offer(
    endpoint: string,
    hosts: readonly (HostPort | undefined)[],
    from: Mailbox,
    to: Mailbox,
  ): Promise<Response> {
    for (let i = 0; i < hosts.length; i += 1) {
      if (this.#isClosed) break;
      const host = hosts[i];
      this.#tx.offering?.(host ?? hostOf(endpoint));
      const next = this.#output.hopAt(endpoint);
      const hop = this.#output.offers.open(next, () => this.#open(next, host), from, to);
      this.#hop = hop;
      const mail = hop.mail(from);
      const rcpt = hop.rcpt(to);
      // After a refused MAIL nobody waits for RCPT any more, so it must not fail unheard either.
      rcpt.catch(() => undefined);
      const mailResponse = await mail;
      if (!isTemporary(mailResponse) || i === hosts.length - 1) {
        this.#answerMail(mailResponse);
        return isOk(mailResponse) ? rcpt : mailFailed(mailResponse);
      }
      this.#tx.log.info({ host, response: mailResponse }, 'host refused for now, trying the next');
      await hop.close();
    }
    return cancelledReply;
  }

  /** What the route wants to hear of the message. Notes that came with the body were meant for us and are not passed on. */
  #notes(): HopBodyNotes {
    const { route, parsed, signals } = this.#tx;
    const options = route?.options ?? {};
    // The key alone asks for it: its value is empty, or options of the parser.
    const wantsParsed = Object.hasOwn(options, 'receive_parsing');
    return {
      ...(wantsParsed && parsed !== undefined && { parsed }),
      ...(options.send_filter_output === true && { filterOutput: signals.toJson() }),
    };
  }

  #open(next: Hop, host: HostPort | undefined): Exchange {
    const { route, signals } = this.#tx;
    const { config: timeouts, env } = this.#output;
    const sender = route?.sender ?? this.#tx.sender.name;
    const { localHost, smtpMeta } = this.#tx;
    const origin = { remoteHost: host ?? this.#tx.remoteHost, localHost, smtpMeta };
    const known = senderNamed(env, sender, route?.tag);
    const told = known === undefined ? origin : withOverrides(origin, known);
    return next.open({
      sender,
      tag: route?.tag,
      remoteHost: told.remoteHost,
      localHost: told.localHost,
      smtpMeta: told.smtpMeta,
      filterOutput: route?.options.send_filter_output === true ? signals.toJson() : undefined,
      rcptTimeoutMs: timeouts.rcptTimeoutMs,
      dataTimeoutMs: timeouts.dataTimeoutMs,
      createAt: 'rcpt',
    });
  }
}

/** The sender the next hop is asked for, when this router knows one of that name: the next hop is a router like it. */
function senderNamed({ senders }: ChainEnv, name: string, tag: string | undefined): SenderConfig | undefined {
  const family = senders.get(name);
  return tag === undefined ? family?.untagged : family?.tags.get(tag);
}

/** The next hop itself, where the route names no hosts behind it. */
function hostOf(endpoint: string): HostPort {
  const { hostname, port, protocol } = new URL(endpoint);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) || (protocol === 'https:' ? 443 : 80) };
}
