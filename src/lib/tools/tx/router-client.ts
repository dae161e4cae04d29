/** What the `koukan tx` commands ask a router: JSON in, JSON out, and a `UserError` with an exit status for everything else. */
import { exitCodes, UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { jsonObject } from '../../http/request.ts';
import { systemClock } from '../../ops/clock.ts';
import { RestSender } from '../rest-sender.ts';
import { type RestDeps, refused, requestRouter } from '../send/rest-transaction.ts';
import type { Json } from '../send/submission.ts';
import { readTokenTrust } from '../token-trust.ts';

export interface RouterAsk {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
}

export interface RouterClient {
  readonly deps: RestDeps;
  /** Of a transaction by its id, or by its URL as `koukan send` prints it. */
  transactionUrl(idOrUrl: string): URL;
  get(path: string, query?: Readonly<Record<string, string>>): Promise<Json>;
  /** A POST without an entity. */
  post(url: URL): Promise<void>;
}

/** Opens a client, lets `use` work with it, and closes its connections whatever happens. */
export async function withRouter<T>(ask: RouterAsk, use: (router: RouterClient) => Promise<T>): Promise<T> {
  const base = readBase(ask.url);
  const http = new RestSender();
  const deps: RestDeps = { http, clock: systemClock, trust: readTokenTrust(base, ask) };
  try {
    return await use({
      deps,
      transactionUrl: (idOrUrl) => transactionUrl(base, idOrUrl),
      async get(path, query = {}) {
        const url = new URL(`${base.href}${path}`);
        url.search = new URLSearchParams(query).toString();
        const answer = await requestRouter(deps, { method: 'GET', url }, limits.sendRequestMs);
        const json = jsonObject(answer);
        // Whatever is under `transactions/` may have gone; the list is there unless --url names something else.
        const ofUnknown = path === 'transactions' ? exitCodes.usage : exitCodes.noInput;
        if (answer.status === 400 && path === 'transactions') throw wrongFilter(json);
        if (answer.status !== 200) throw refused(`${base.href} refused`, answer, ofUnknown);
        if (json === undefined) throw new UserError(`${url.href} did not answer as a router`, exitCodes.protocol);
        return json;
      },
      async post(url) {
        const answer = await requestRouter(deps, { method: 'POST', url }, limits.sendRequestMs);
        if (answer.status !== 200) throw refused('the router refused', answer, exitCodes.noInput);
      },
    });
  } finally {
    await http.close();
  }
}

/** All that a list is asked comes from flags, which have the names of its parameters. */
function wrongFilter({ pointer, detail }: Json = {}): UserError {
  const flag = typeof pointer === 'string' ? `-${pointer.replace('/', '-')}: ` : '';
  return new UserError(`${flag}${typeof detail === 'string' ? detail : 'the router takes no such filter'}`);
}

/** With a slash at the end, so that paths go under it. */
function readBase(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new UserError(`--url must be like http://127.0.0.1:8000, not ${text}`);
  }
  return new URL(`${url.href.replace(/\/+$/, '')}/`);
}

function transactionUrl(base: URL, idOrUrl: string): URL {
  const id = /\/transactions\/([^/?#]+)/.exec(idOrUrl)?.[1] ?? encodeURIComponent(idOrUrl);
  if (id === '' || id.includes('/')) throw new UserError(`not the id of a transaction: ${idOrUrl}`);
  return new URL(`transactions/${id}`, base);
}
