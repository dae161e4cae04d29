/** The SMTP listeners of a gateway: every MAIL becomes an exchange with the next hop, and its replies go back as they came. */
import { hostname } from 'node:os';
import type { SmtpServiceConfig } from '../config/gateway-config.ts';
import { type Admission, alwaysOpen, type Refusal } from '../core/admission.ts';
import type { Deps, Log } from '../core/deps.ts';
import { FairShares } from '../core/fair-shares.ts';
import type { Hop, HopAsk } from '../core/hop.ts';
import { limits } from '../core/limits.ts';
import type { SmtpMeter } from '../core/meters.ts';
import { peerKey } from '../core/peer-key.ts';
import { reply } from '../core/response.ts';
import { createSmtpListener, type SmtpListener } from '../smtp/listener/listener.ts';
import type { MailTaker } from '../smtp/listener/mail-taker.ts';
import type { Authenticate } from '../smtp/listener/server.ts';
import type { SessionFacts } from '../smtp/listener/session-port.ts';
import type { Spool } from '../spool/spool.ts';
import { InboundExchange, type InboundSettings } from './inbound-exchange.ts';
import { readTls } from './inbound-tls.ts';
import { RefusedMail } from './refused-mail.ts';

export interface InboundOptions {
  readonly config: SmtpServiceConfig;
  readonly hop: Hop;
  readonly deps: Deps;
  readonly meter?: SmtpMeter;
  /** Whether this process takes on anything new; default: always. */
  readonly admission?: Admission;
  /** A prepared spool for large messages; several listeners may share one. */
  readonly spool: Spool;
  /** Our name in the greeting and in the answer to EHLO; default: the name of the machine. */
  readonly hostName?: string;
  /** Checks a user's secret; offers AUTH under TLS. */
  readonly authenticate?: Authenticate;
  /** Transactions at the same time; default `limits.inboundTransactions`. */
  readonly maxTransactions?: number;
  /** Defaults of these are in `limits`. */
  readonly maxBytes?: number;
  readonly maxSessions?: number;
  readonly idleMs?: number;
}

export type Inbound = SmtpListener;

const busy = reply(451, '4.3.2', 'server busy, try again later');

/** Makes a listener. Its `listen` rejects with a `UserError` when certificate or key cannot be read. */
export function createInbound(options: InboundOptions): Inbound {
  let listener: SmtpListener | undefined;
  return {
    async listen() {
      listener = await makeListener(options);
      return listener.listen();
    },
    async close(hurry) {
      await listener?.close(hurry);
    },
  };
}

async function makeListener(options: InboundOptions): Promise<SmtpListener> {
  const { config, deps, spool, hostName = hostname(), authenticate, maxBytes, maxSessions, idleMs } = options;
  const tls = config.tls === undefined ? undefined : await readTls(config.tls);
  const { proxyProtocolTimeoutMs, maxSessionsPerHost } = config;
  return createSmtpListener({
    addr: config.addr,
    hostName,
    isImplicitTls: config.smtps,
    enableBdat: config.enableBdat,
    spool,
    deps,
    offersDsn: () => config.dsn ?? options.hop.offersDsn ?? false,
    open: opener(options),
    ...(options.meter && { meter: options.meter }),
    ...(options.admission && { admission: options.admission }),
    ...(tls === undefined ? {} : { tls }),
    ...(authenticate === undefined ? {} : { authenticate }),
    ...(proxyProtocolTimeoutMs === undefined ? {} : { proxyProtocolTimeoutMs }),
    ...(maxSessionsPerHost === undefined ? {} : { maxSessionsPerHost }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(maxSessions === undefined ? {} : { maxSessions }),
    ...(idleMs === undefined ? {} : { idleMs }),
  });
}

/** Opens exchanges as long as there are not too many at work; one client does not take the last places from all others. */
function opener(options: InboundOptions) {
  const { hop, maxTransactions = limits.inboundTransactions, admission = alwaysOpen } = options;
  const places = new FairShares(maxTransactions);
  const ofSession = sessionSettings(options, places);
  const refused = (why: Refusal): MailTaker => {
    admission.refused('mail', why);
    return new RefusedMail(busy, options.deps.clock);
  };
  return (facts: SessionFacts): MailTaker => {
    if (admission.overload !== undefined) return refused(admission.overload);
    const session = ofSession(facts);
    const { peer } = session;
    if (!places.isOpenTo(peer)) return refused(places.used >= maxTransactions ? 'places' : 'peer');
    const upstream = hop.open(session.ask);
    places.take(peer);
    return new InboundExchange(upstream, session);
  };
}

interface InboundSession extends InboundSettings {
  /** Under which name its places are counted. */
  readonly peer: string;
  readonly ask: HopAsk;
}

/** What does not change from one message of a session to the next is put together once. */
function sessionSettings(
  { config, deps }: InboundOptions,
  places: FairShares,
): (facts: SessionFacts) => InboundSession {
  const { sender, tag, rcptTimeoutMs, dataTimeoutMs } = config;
  const times = { mailMs: limits.inboundMailMs, rcptMs: rcptTimeoutMs, dataMs: dataTimeoutMs };
  const tagged = tag === undefined ? { sender } : { sender, tag };
  const make = ({ id, remoteHost, localHost, smtpMeta }: SessionFacts): InboundSession => {
    const peer = peerKey(remoteHost.host);
    let log: Log | undefined;
    return {
      peer,
      ask: { ...tagged, remoteHost, localHost, smtpMeta, rcptTimeoutMs, dataTimeoutMs, createAt: 'mail' },
      times,
      clock: deps.clock,
      log: () => {
        log ??= deps.log.child({ session: id, remoteHost: remoteHost.host, sender, tag });
        return log;
      },
      isQuiet: deps.log.isQuiet === true,
      onClosed: () => places.leave(peer),
    };
  };
  const known = new WeakMap<SessionFacts, InboundSession>();
  return (facts) => {
    const session = known.get(facts) ?? make(facts);
    known.set(facts, session);
    return session;
  };
}
