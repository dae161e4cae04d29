/**
 * Clients that send all the time while something fails, each message once and to a recipient of its own, and remember what they were
 * answered: so that afterwards every promise can be accounted for. No two messages have a line in common but the first: what arrives with a
 * piece of another one is noticed.
 */
import { EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TestContext } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import type { SinkScript } from '../../src/lib/smtp/sink/script.ts';
import type { Sink, SinkMessage } from '../../src/lib/smtp/sink/sink.ts';
import { allIsDone } from '../helpers/journey-database.ts';
import { sendSmtp } from '../helpers/journey-mail.ts';

/** `stored`: a submission that the far end puts off; `through`: mail that it takes at once; `app`: a REST create. */
export const kinds = ['stored', 'through', 'app'] as const;
export type Kind = (typeof kinds)[number];

export interface Answer {
  readonly kind: Kind;
  readonly rcpt: string;
  /** `250 2.6.0 …`, `HTTP 503 retry-after: 1`, or `lost …` when there was none. */
  readonly text: string;
  /** By how long it took. */
  readonly ms: number;
}

export const isPromise = ({ text }: Answer): boolean => /^2|^HTTP 201/.test(text);

export interface LoadTarget {
  readonly ports: { readonly mx: number; readonly msa: number };
  readonly routerUrl: string;
}

/** Where what was promised has to arrive, and what would say that something is still to be done. */
export interface LoadGround {
  readonly sink: Sink;
  readonly databaseUrl: string;
}

export interface LoadAsk {
  readonly kinds?: readonly Kind[];
  readonly clients?: number;
  /** Of each message, at least. */
  readonly sizeBytes?: number;
  /** Sets the recipients of this load apart. */
  readonly name?: string;
}

export class Load {
  readonly answers: Answer[] = [];
  readonly #context: TestContext;
  readonly #target: LoadTarget;
  readonly #sizeBytes: number;
  readonly #name: string;
  readonly #news = new EventEmitter();
  readonly #clients: Promise<void>[];
  #count = 0;
  #isOver = false;

  private constructor(context: TestContext, target: LoadTarget, ask: LoadAsk) {
    this.#context = context;
    this.#target = target;
    this.#sizeBytes = ask.sizeBytes ?? 0;
    this.#name = ask.name ?? '';
    this.#news.setMaxListeners(0);
    this.#clients = (ask.kinds ?? kinds).flatMap((kind) =>
      Array.from({ length: ask.clients ?? 2 }, () => this.#client(kind)),
    );
  }

  static start(context: TestContext, target: LoadTarget, ask: LoadAsk = {}): Load {
    const load = new Load(context, target, ask);
    context.onTestFinished(() => load.end());
    return load;
  }

  async #client(kind: Kind): Promise<void> {
    while (!this.#isOver) {
      this.#count += 1;
      const rcpt = `${kind}-${this.#name}${this.#count}@far.example`;
      const before = performance.now();
      const text = await this.#send(kind, rcpt).catch((error: Error) => `lost ${error.message}`);
      this.answers.push({ kind, rcpt, text, ms: performance.now() - before });
      this.#news.emit('news');
      // A client that is refused does not come again at once.
      await sleep(isPromise(this.answers.at(-1) as Answer) ? 5 : 20);
    }
  }

  async #send(kind: Kind, rcpt: string): Promise<string> {
    const { ports, routerUrl } = this.#target;
    const message = messageTo(rcpt, this.#sizeBytes);
    if (kind === 'app') return createdText(routerUrl, rcpt, message);
    const port = kind === 'stored' ? ports.msa : ports.mx;
    const { mail, rcpts, data } = await sendSmtp(this.#context, { port, rcpts: [rcpt], message });
    return data ?? rcpts?.[0] ?? mail ?? '';
  }

  /** Resolves once so many answers of this kind have matched since `from`. */
  async sees(kind: Kind, pattern: RegExp, count = 1, from = 0): Promise<void> {
    const isSeen = (answer: Answer): boolean => answer.kind === kind && pattern.test(answer.text);
    while (this.answers.slice(from).filter(isSeen).length < count) await once(this.#news, 'news');
  }

  /** Those that come from now on, until there are `count` of each kind. */
  async next(count: number, of: readonly Kind[] = kinds): Promise<readonly Answer[]> {
    // What is under way now was asked before.
    const from = this.answers.length;
    for (const kind of of) await this.sees(kind, /^/, count + this.#clients.length, from);
    return this.answers.slice(from + this.#clients.length);
  }

  #altered({ messages }: Sink): readonly string[] {
    const mine = new Set(this.answers.map(({ rcpt }) => rcpt));
    const isAltered = ({ rcptTo, body }: SinkMessage): boolean => {
      const rcpt = rcptTo[0]?.address ?? '';
      if (!mine.has(rcpt)) return false;
      const sent = Buffer.from(messageTo(rcpt, this.#sizeBytes));
      // On the way header fields are put before it.
      return body.length < sent.length || !body.subarray(-sent.length).equals(sent);
    };
    return messages.filter(isAltered).map(({ rcptTo }) => rcptTo[0]?.address ?? '');
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#clients);
  }

  get promised(): readonly string[] {
    return this.answers.filter(isPromise).map(({ rcpt }) => rcpt);
  }

  /** Resolves when everything promised is there. */
  async arrives({ sink }: Pick<LoadGround, 'sink'>): Promise<void> {
    await this.end();
    const isMissing = (): boolean => {
      const rcpts = new Set(rcptsOf(sink));
      return this.promised.some((rcpt) => !rcpts.has(rcpt));
    };
    while (isMissing()) await sink.received(sink.messages.length + 1);
  }

  /**
   * Resolves when everything promised is there and nothing is left to do; answers what came twice, and what came though it had been refused. What
   * came must be what was sent, promised or not.
   */
  async account(ground: LoadGround): Promise<Account> {
    await this.arrives(ground);
    const { sink, databaseUrl } = ground;
    const promised = new Set(this.promised);
    // What was stored without anybody having heard so comes too, in the end.
    await allIsDone(databaseUrl);
    this.#context.expect(this.#altered(sink), 'came altered').toEqual([]);
    const rcpts = rcptsOf(sink);
    return {
      promised: promised.size,
      twice: rcpts.filter((rcpt, i) => rcpts.indexOf(rcpt) !== i),
      unasked: [...new Set(rcpts)].filter((rcpt) => !promised.has(rcpt)),
    };
  }
}

const rcptsOf = (sink: Sink): readonly string[] => sink.messages.map(({ rcptTo }) => rcptTo[0]?.address ?? '');

export interface Account {
  readonly promised: number;
  readonly twice: readonly string[];
  readonly unasked: readonly string[];
}

/** Every line of the body says for whom it is. */
function messageTo(rcpt: string, sizeBytes: number): string {
  const line = `${rcpt} ${'x'.repeat(75 - rcpt.length)}\r\n`;
  return `Subject: to somebody\r\n\r\n${line.repeat(Math.max(1, Math.ceil(sizeBytes / line.length)))}`;
}

async function createdText(url: string, rcpt: string, message: string): Promise<string> {
  const response = await fetch(`${url}/senders/app/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mail_from: { m: 'alice@example.com' }, rcpt_to: [{ m: rcpt }], body: { inline: message } }),
  });
  await response.arrayBuffer();
  const retryAfter = response.headers.get('retry-after');
  return `HTTP ${response.status}${retryAfter === null ? '' : ` retry-after: ${retryAfter}`}`;
}

/** A far end that puts off what is to be stored, until it is told to take all. */
export function puttingOff(): { readonly script: SinkScript; takeAll(): void } {
  let isAway = true;
  return {
    script: (stage, address) =>
      isAway && stage === 'rcpt' && address.startsWith('stored') ? reply(450, '4.2.0', 'not now') : undefined,
    takeAll: () => {
      isAway = false;
    },
  };
}
