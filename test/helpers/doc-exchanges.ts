/**
 * HTTP exchanges written in a page of the documentation, and the same exchanges held with running programs. A block `http` is a request
 * (`POST http://…`) or the answer that is expected to the one before it (`201 Created`).
 *
 * In an answer `…` stands for what is left out: in a text for any characters, as an element of a list for any others, as a key for any other
 * keys. Times are any times. `TX1`, `CURSOR1` and the like are names the page gives to what is different each time; an ETag is such a name too.
 */

export interface DocRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface DocAnswer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface DocExchange {
  /** The line of the page on which the request begins. */
  readonly line: number;
  readonly request: DocRequest;
  readonly answer: DocAnswer;
}

const NAME = /\b(?:TX|CURSOR|TOKEN)\d+\b/g;
const ANY = '…';

/** Throws when a request has no answer. */
export function docExchanges(markdown: string): DocExchange[] {
  const blocks = [...markdown.matchAll(/^```http\n(.*?)\n```$/gms)].map((match) => ({
    line: markdown.slice(0, match.index).split('\n').length + 1,
    text: match[1] ?? '',
  }));
  const exchanges: DocExchange[] = [];
  for (let i = 0; i < blocks.length; i += 2) {
    const [asked, answered] = [blocks[i], blocks[i + 1]];
    const status = answered && /^(\d{3})\b/.exec(answered.text)?.[1];
    const [method = '', url = ''] = asked?.text.split('\n')[0]?.split(' ') ?? [];
    if (asked === undefined || answered === undefined || status === undefined || !URL.canParse(url)) {
      throw new Error(`line ${asked?.line}: expected a request with a whole URL, then its answer`);
    }
    exchanges.push({
      line: asked.line,
      request: { method, url, ...headersAndBody(asked.text) },
      answer: { status: Number(status), ...headersAndBody(answered.text) },
    });
  }
  return exchanges;
}

function headersAndBody(text: string): Pick<DocRequest, 'headers' | 'body'> {
  const [head = '', ...rest] = text.split('\n\n');
  const headers = head
    .split('\n')
    .slice(1)
    .map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()];
    });
  return { headers: new Map(headers), body: rest.join('\n\n') };
}

/** Plays the client of a page. */
export class DocClient {
  /** What a page's names stand for. */
  readonly #names = new Map<string, string>();
  /** Ports of the page, and those things are really at. */
  readonly #ports: ReadonlyMap<number, number>;

  constructor(ports: ReadonlyMap<number, number>, names: Readonly<Record<string, string>> = {}) {
    this.#ports = ports;
    for (const [name, value] of Object.entries(names)) this.#names.set(name, value);
  }

  /** Sends the request; answers what is different from the answer on the page. A read is repeated until nothing is, for `patienceMs`. */
  async hold(exchange: DocExchange, patienceMs: number): Promise<readonly string[]> {
    const signal = AbortSignal.timeout(patienceMs);
    let differences: readonly string[] = ['there is no answer'];
    try {
      do {
        differences = await this.#holdOnce(exchange, signal);
      } while (differences.length > 0 && exchange.request.method === 'GET');
    } catch (error) {
      if (!signal.aborted) throw error;
    }
    return differences;
  }

  async #holdOnce({ request, answer }: DocExchange, signal: AbortSignal): Promise<readonly string[]> {
    const got = await this.#send(request, signal);
    const names = new Map(this.#names);
    const differences = compareAnswer(answer, this.#asOnPage(got), names);
    if (differences.length > 0) return differences;
    for (const [name, value] of names) this.#names.set(name, value);
    if (answer.headers.has('etag')) this.#names.set(etagName(request, answer), got.headers.get('etag') ?? '');
    return [];
  }

  async #send(request: DocRequest, signal: AbortSignal): Promise<DocAnswer> {
    const headers = new Headers();
    for (const [name, value] of request.headers) {
      const tag = /^if-(none-)?match$/.test(name) ? this.#names.get(etagOf(request.url, value)) : undefined;
      headers.set(name, tag ?? this.#real(value));
    }
    const isJson = request.headers.get('content-type') === 'application/json';
    const text = this.#real(request.body);
    // What is no JSON is a message, whose lines end in CRLF.
    const body = isJson ? text : text.replaceAll('\n', '\r\n');
    const answer = await fetch(this.#real(request.url), {
      method: request.method,
      headers,
      redirect: 'manual',
      signal,
      ...(request.method !== 'GET' && { body: Buffer.from(body) }),
    });
    return { status: answer.status, headers: new Map(answer.headers), body: await answer.text() };
  }

  #real(text: string): string {
    const named = text.replaceAll(NAME, (name) => this.#names.get(name) ?? name);
    return named.replaceAll(/localhost:(\d+)/g, (_, port) => `localhost:${this.#ports.get(Number(port)) ?? port}`);
  }

  #asOnPage(answer: DocAnswer): DocAnswer {
    const pages = new Map([...this.#ports].map(([page, real]) => [String(real), String(page)]));
    const text = (real: string): string =>
      real.replaceAll(/(?<=(?:localhost|127\.0\.0\.1)(?::|",\s*))\d+/g, (port) => pages.get(port) ?? port);
    return {
      status: answer.status,
      headers: new Map([...answer.headers].map(([name, value]) => [name, text(value)])),
      body: text(answer.body),
    };
  }
}

/** An ETag of the page is that of one transaction. */
function etagOf(url: string, value: string): string {
  const tx = /\/transactions\/([^/]+)/.exec(url)?.[1] ?? '';
  return `${tx} ${value}`;
}

function etagName(request: DocRequest, answer: DocAnswer): string {
  return etagOf(answer.headers.get('location') ?? request.url, answer.headers.get('etag') ?? '');
}

function compareAnswer(expected: DocAnswer, got: DocAnswer, names: Map<string, string>): string[] {
  const shown = JSON.stringify({ status: got.status, headers: Object.fromEntries(got.headers), body: got.body });
  if (expected.status !== got.status) return [`the status is ${got.status}: ${shown}`];
  const headers = [...expected.headers].flatMap(([name, value]) => {
    const actual = got.headers.get(name) ?? '';
    const isRight = name === 'etag' ? /^\d+$/.test(actual) : isText(value, actual, names);
    return isRight ? [] : [`${name}: ${actual}`];
  });
  if (headers.length > 0) return headers;
  if (expected.body === '' || expected.body === ANY) return [];
  if (!expected.headers.get('content-type')?.includes('json'))
    return isText(expected.body, got.body, names) ? [] : [got.body];
  return isLike(JSON.parse(withGaps(expected.body)), JSON.parse(got.body || 'null'), names)
    ? []
    : [`the body is ${got.body}`];
}

/** JSON with bare `…` in it as JSON. */
function withGaps(text: string): string {
  const open: string[] = [];
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|[{}[\]…]/g, (token) => {
    if (token === '{' || token === '[') open.push(token);
    if (token === '}' || token === ']') open.pop();
    return token !== ANY ? token : open.at(-1) === '{' ? '"…": "…"' : '"…"';
  });
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function isText(expected: string, actual: string, names: Map<string, string>): boolean {
  if (TIME.test(expected)) return TIME.test(actual);
  const unbound: string[] = [];
  const pattern = expected
    .split(/(…|\b(?:TX|CURSOR|TOKEN)\d+\b)/)
    .map((piece) => {
      if (piece === ANY) return '.*';
      const isName = piece.match(NAME) !== null;
      if (!isName) return piece.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
      const known = names.get(piece);
      if (known !== undefined) return known;
      unbound.push(piece);
      return '([\\w~-]+)';
    })
    .join('');
  const found = new RegExp(`^${pattern}$`, 's').exec(actual);
  unbound.forEach((name, i) => {
    if (found?.[i + 1] !== undefined) names.set(name, found[i + 1] as string);
  });
  return found !== null;
}

function isLike(expected: unknown, actual: unknown, names: Map<string, string>): boolean {
  if (expected === ANY) return true;
  if (typeof expected === 'string') return typeof actual === 'string' && isText(expected, actual, names);
  if (typeof expected !== 'object' || expected === null) return Object.is(expected, actual);
  if (typeof actual !== 'object' || actual === null || Array.isArray(expected) !== Array.isArray(actual)) return false;
  if (Array.isArray(expected)) return isListLike(expected, actual as unknown[], names);
  const { [ANY]: others, ...wanted } = expected as Record<string, unknown>;
  const given = actual as Record<string, unknown>;
  const isAll = others !== undefined || Object.keys(given).every((key) => Object.hasOwn(wanted, key));
  return isAll && Object.entries(wanted).every(([key, value]) => isLike(value, given[key], names));
}

/** `…` at the end: more may follow. */
function isListLike(expected: readonly unknown[], actual: readonly unknown[], names: Map<string, string>): boolean {
  const isOpen = expected.at(-1) === ANY;
  const wanted = isOpen ? expected.slice(0, -1) : expected;
  const isLong = isOpen ? actual.length >= wanted.length : actual.length === wanted.length;
  return isLong && wanted.every((value, i) => isLike(value, actual[i], names));
}
