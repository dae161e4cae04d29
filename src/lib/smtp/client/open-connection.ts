/** Brings a session to the point where mail can be sent: connect, greeting, EHLO, TLS, EHLO again, AUTH. */
import type { Socket } from 'node:net';
import type { Clock } from '../../core/deps.ts';
import { limits } from '../../core/limits.ts';
import { isOk, isPermanent, type Response, reply } from '../../core/response.ts';
import { type Capabilities, NO_CAPABILITIES, parseCapabilities, serverName } from './capabilities.ts';
import { helloLine } from './command-line.ts';
import { SmtpConnection } from './connection.ts';
import { type DialAsk, dial, handshake, startTls } from './dial.ts';
import { Dialogue } from './dialogue.ts';
import { authenticate } from './login.ts';
import type { Destination } from './profile.ts';
import { ShortReads } from './short-reads.ts';

/** An open session, or the reply that says why there is none: the server's own when it gave one. */
export async function openConnection(
  destination: Destination,
  clock: Clock,
  signal?: AbortSignal,
): Promise<SmtpConnection | Response> {
  const { profile } = destination;
  const outcome = await new Opening(destination, clock, signal).run(profile.tls !== 'off');
  if (!(outcome instanceof TlsFailure)) return outcome;
  if (profile.tls !== 'opportunistic' || signal?.aborted) return outcome.response;
  // Mail that could also have gone in clear does not wait until somebody has repaired their TLS.
  profile.trace?.('=', 'TLS failed, connecting again in clear');
  const inClear = await new Opening(destination, clock, signal).run(false);
  return inClear instanceof TlsFailure ? inClear.response : inClear;
}

/** TLS could not be had; the connection is not usable any more. */
class TlsFailure {
  readonly response: Response;
  constructor(response: Response) {
    this.response = response;
  }
}

/** What a step answers: `undefined` to go on, else why the session ends here. */
type Stop = Response | TlsFailure | undefined;

class Opening {
  readonly #destination: Destination;
  readonly #clock: Clock;
  readonly #signal: AbortSignal | undefined;
  readonly #dialAsk: DialAsk;
  #capabilities: Capabilities = NO_CAPABILITIES;
  #name: string | undefined;
  #isSecured = false;

  constructor(destination: Destination, clock: Clock, signal: AbortSignal | undefined) {
    const { host, port, profile } = destination;
    const { localAddress, timeoutMs } = profile;
    this.#destination = destination;
    this.#clock = clock;
    this.#signal = signal;
    const reads = profile.tls === 'implicit' ? undefined : new ShortReads();
    this.#dialAsk = { host, port, localAddress, timeoutMs: Math.min(timeoutMs, limits.smtpConnectMs), reads };
  }

  async run(useTls: boolean): Promise<SmtpConnection | Response | TlsFailure> {
    const { profile } = this.#destination;
    const socket = await this.#connect();
    if (!('write' in socket)) return socket;
    const { timeoutMs, trace } = profile;
    const dialogue = new Dialogue(socket, { clock: this.#clock, timeoutMs, trace, reads: this.#dialAsk.reads });
    const onAbort = (): void => dialogue.destroy();
    this.#signal?.addEventListener('abort', onAbort, { once: true });
    if (this.#signal?.aborted) onAbort();
    const stop = await this.#introduce(dialogue, useTls);
    this.#signal?.removeEventListener('abort', onAbort);
    const connection = new SmtpConnection(dialogue, this.#clock, {
      destination: this.#destination,
      capabilities: this.#capabilities,
      name: this.#name,
      isSecured: this.#isSecured,
    });
    if (stop === undefined) return connection;
    void connection.quit();
    return stop;
  }

  async #connect(): Promise<Socket | Response> {
    const { profile } = this.#destination;
    const socket = await dial(this.#dialAsk, this.#clock, this.#signal);
    if (!('write' in socket)) return socket;
    if (profile.preamble !== undefined) {
      profile.trace?.('>', profile.preamble);
      socket.write(`${profile.preamble}\r\n`);
    }
    if (profile.tls !== 'implicit') return socket;
    this.#isSecured = true;
    return this.#handshake(socket);
  }

  #handshake(plain: Socket): Promise<Socket | Response> {
    const { host, profile } = this.#destination;
    const verify = profile.verify === true && profile.tls !== 'opportunistic';
    return handshake(startTls(plain, host, verify), this.#dialAsk, this.#clock, this.#signal);
  }

  async #introduce(dialogue: Dialogue, useTls: boolean): Promise<Stop> {
    const greeting = await dialogue.expect('before the greeting');
    if (!isOk(greeting)) return refusal(greeting, 'the greeting');
    const failure =
      (await this.#hello(dialogue)) ?? (useTls && !this.#isSecured ? await this.#startTls(dialogue) : undefined);
    if (failure !== undefined) return failure;
    const { credentials } = this.#destination.profile;
    return credentials === undefined ? undefined : authenticate(dialogue, this.#capabilities, credentials);
  }

  async #hello(dialogue: Dialogue): Promise<Stop> {
    const { ehloHost, protocol } = this.#destination.profile;
    const verb = protocol === 'lmtp' ? 'LHLO' : 'EHLO';
    const hello = helloLine(verb, ehloHost);
    if ('refusal' in hello) return hello.refusal;
    const answer = await dialogue.ask(hello.line, `at ${verb}`);
    if (isOk(answer)) {
      this.#capabilities = parseCapabilities(answer);
      this.#name = serverName(answer);
      return undefined;
    }
    if (protocol === 'lmtp' || !isPermanent(answer)) return refusal(answer, verb);
    // RFC 5321 §3.2: a server that does not know EHLO may know HELO, and then offers nothing.
    const helo = await dialogue.ask(`HELO ${ehloHost}`, 'at HELO');
    this.#capabilities = NO_CAPABILITIES;
    return isOk(helo) ? undefined : refusal(helo, 'HELO');
  }

  async #startTls(dialogue: Dialogue): Promise<Stop> {
    const { profile } = this.#destination;
    if (!this.#capabilities.has('STARTTLS')) {
      if (profile.tls !== 'required') return undefined;
      return reply(450, '4.7.4', 'TLS is required but the server does not offer STARTTLS');
    }
    const answer = await dialogue.ask('STARTTLS', 'at STARTTLS');
    if (!isOk(answer)) return new TlsFailure(refusal(answer, 'STARTTLS'));
    let secured: Promise<Socket | Response> | undefined;
    const isClean = dialogue.upgrade((plain) => {
      const socket = startTls(plain, this.#destination.host, profile.verify === true && profile.tls === 'required');
      secured = handshake(socket, this.#dialAsk, this.#clock, this.#signal);
      return socket;
    });
    if (!isClean) return new TlsFailure(reply(450, '4.7.0', 'data in clear after the reply to STARTTLS'));
    const outcome = await secured;
    if (outcome === undefined || !('write' in outcome)) {
      dialogue.destroy();
      return new TlsFailure(reply(450, '4.7.5', `TLS handshake failed: ${outcome?.text ?? 'no connection'}`));
    }
    this.#isSecured = true;
    profile.trace?.('=', 'TLS is on');
    return this.#hello(dialogue);
  }
}

/** The server's own answer when it is a refusal; anything that is neither yes nor no breaks the protocol. */
function refusal(response: Response, step: string): Response {
  if (response.code >= 400) return response;
  return reply(450, '4.5.0', `protocol error: unexpected reply ${response.code} to ${step}`);
}
