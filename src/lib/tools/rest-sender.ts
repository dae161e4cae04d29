/**
 * The HTTP connections of a command: a handful of requests over Node's own client, which is there anyway. The daemons' `HttpClient` is built for
 * thousands of requests, and what it takes to load it is longer than all that a command has to say.
 */
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { Readable } from 'node:stream';
import type { PeerTrust, PoolUse, Trust } from '../http/http-client.ts';
import type { HttpSender, SentAnswer, SentRequest } from '../http/request.ts';

export class RestSender implements HttpSender {
  readonly #agents = new Map<string, http.Agent>();

  pool(origin: string, trust: Trust, _use: PoolUse): { request(ask: SentRequest): Promise<SentAnswer> } {
    const { verify = true, ca, identity } = typeof trust === 'boolean' ? { verify: trust } : (trust as PeerTrust);
    const isTls = origin.startsWith('https:');
    const tls = { rejectUnauthorized: verify, ...(ca !== undefined && { ca }), ...identity };
    const agent = this.#agent(JSON.stringify([isTls, tls]), () =>
      isTls ? new https.Agent({ keepAlive: true, ...tls }) : new http.Agent({ keepAlive: true }),
    );
    return { request: (ask) => send(isTls ? https.request : http.request, origin, agent, ask) };
  }

  /** Drops all connections: a command that closes waits for nothing any more. */
  async close(): Promise<void> {
    for (const agent of this.#agents.values()) agent.destroy();
  }

  #agent(key: string, make: () => http.Agent): http.Agent {
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const agent = make();
    this.#agents.set(key, agent);
    return agent;
  }
}

function send(
  request: typeof http.request,
  origin: string,
  agent: http.Agent,
  { method, path, headers, body, ending }: SentRequest,
): Promise<SentAnswer> {
  return new Promise((resolve, reject) => {
    const onAnswer = (answer: IncomingMessage): void => {
      resolve({ statusCode: answer.statusCode ?? 0, headers: answer.headers, body: answer });
    };
    // After an answer an error only ends the rest of the upload, of which nobody wants to know: a refusal comes before the last byte.
    const outgoing = request(`${origin}${path}`, { method, headers, agent }, onAnswer);
    const end = (): void => void outgoing.destroy(new Error('the deadline passed'));
    outgoing.once('close', ending.onEnd(end));
    if (ending.isEnded) end();
    outgoing.on('error', (error) => reject(causeOf(error)));
    if (isStream(body)) {
      body.on('error', (error) => outgoing.destroy(error));
      outgoing.on('close', () => body.destroy());
      body.pipe(outgoing);
    } else outgoing.end(body ?? undefined);
  });
}

/** Of a host with several addresses none of which answers, the first one's trouble stands for all. */
function causeOf(error: Error): Error {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return first instanceof Error ? first : error;
}

function isStream(body: SentRequest['body']): body is Readable {
  return typeof body === 'object' && body !== null && 'pipe' in body;
}
