/** `koukan tx watch`: follows a transaction with hanging GETs until it has ended, and exits as `koukan send` does. */
import { exitCodes, UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { startDeadline } from '../../http/deadline.ts';
import { headerOf, isJsonObject, jsonObject } from '../../http/request.ts';
import { follow, type RestDeps, type RestTransaction, refused, requestRouter } from '../send/rest-transaction.ts';
import type { Json } from '../send/submission.ts';
import { readVerdict, verdictText } from '../verdict.ts';
import { plainText } from './plain-text.ts';
import { type RouterAsk, type RouterClient, withRouter } from './router-client.ts';

export interface WatchAsk extends RouterAsk {
  readonly id: string;
  /** How long to watch at most. */
  readonly waitSeconds: number;
  readonly json: boolean;
}

/** Answers the exit status. */
export function runWatch(ask: WatchAsk): Promise<number> {
  return withRouter(ask, async ({ deps, transactionUrl, get }) => {
    const url = transactionUrl(ask.id);
    const print = (view: Json, time = new Date(deps.clock.now()).toISOString()): void => {
      const line = ask.json ? JSON.stringify({ time, ...view }) : newsText(view);
      if (line === said) return;
      said = line;
      process.stdout.write(ask.json ? `${line}\n` : `${time}  ${line}\n`);
    };
    let said = '';
    const deadline = startDeadline(deps.clock, ask.waitSeconds * 1000);
    try {
      const first = await readFirst(deps, url);
      print(first.view, readVerdict(first.view).isSettled ? await endedAt(get, url) : undefined);
      const last = await follow(deps, first, deadline, ({ view }) => print(view));
      const { isSettled, exitCode } = readVerdict(last.view);
      return isSettled ? exitCode : exitCodes.tempFail;
    } finally {
      deadline.clear();
    }
  });
}

async function readFirst(deps: RestDeps, url: URL): Promise<RestTransaction> {
  const answer = await requestRouter(deps, { method: 'GET', url }, limits.sendRequestMs);
  const view = jsonObject(answer);
  if (answer.status !== 200 || view === undefined) throw refused('the router refused', answer, exitCodes.noInput);
  const etag = headerOf(answer, 'etag');
  return { url: answer.url, view, ...(etag !== undefined && { etag }) };
}

/**
 * What had ended before anybody watched did so at the end of its last attempt, and not now. `undefined` when nobody says so: a gateway has no
 * histories, and a router none of a conversation in which nobody was refused.
 */
async function endedAt(get: RouterClient['get'], url: URL): Promise<string | undefined> {
  try {
    const { attempt_list: attempts } = await get(`transactions/${url.pathname.split('/').at(-1)}/history`);
    const last: unknown = Array.isArray(attempts) ? attempts.at(-1) : undefined;
    return isJsonObject(last) && typeof last.ended_at === 'string' ? last.ended_at : undefined;
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  }
}

/** One line for each change that a person would call one. */
function newsText(view: Json): string {
  const attempt = typeof view.attempt_count === 'number' ? `attempt ${view.attempt_count}: ` : '';
  return plainText(`${attempt}${verdictText(readVerdict(view))}`);
}
