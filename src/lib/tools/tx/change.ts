/** `koukan tx retry` and `koukan tx cancel`: one verb for the transactions that are named, or for all that a filter finds. */
import { exitCodes, UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { worstExitCode } from '../verdict.ts';
import { listAll } from './list.ts';
import { plainText } from './plain-text.ts';
import { type RouterAsk, type RouterClient, withRouter } from './router-client.ts';

export interface ChangeAsk extends RouterAsk {
  readonly verb: 'retry' | 'cancel';
  readonly ids: readonly string[];
  /** Used when no ids are given. */
  readonly filter: Readonly<Record<string, string>>;
  /** Do it to what the filter finds, instead of only counting. */
  readonly yes: boolean;
  readonly json: boolean;
}

interface Change {
  readonly id: string;
  readonly done: boolean;
  readonly error?: string;
  readonly exitCode: number;
}

const DONE = { retry: 'due now', cancel: 'cancelled' } as const;

/** Requests under way at the same time. */
const AT_ONCE = 16;

/** Answers the exit status. */
export async function runChange(ask: ChangeAsk): Promise<number> {
  return withRouter(ask, async (router) => {
    const ids = ask.ids.length > 0 ? ask.ids : await found(router, ask);
    const changes: Change[] = [];
    for (let at = 0; at < ids.length; at += AT_ONCE) {
      const batch = await Promise.all(ids.slice(at, at + AT_ONCE).map((id) => change(router, ask.verb, id)));
      changes.push(...batch);
      if (!ask.json) for (const each of batch) print(ask.verb, each);
    }
    const exitCode = worstExitCode(changes.map((each) => each.exitCode));
    if (ask.json) {
      const transactions = changes.map(({ exitCode: status, ...rest }) => ({ ...rest, exit_code: status }));
      process.stdout.write(`${JSON.stringify({ exit_code: exitCode, transactions }, null, 2)}\n`);
    }
    return exitCode;
  });
}

/** Nobody changes many transactions by accident: without `--yes` they are only counted. */
async function found(router: RouterClient, { verb, filter, yes }: ChangeAsk): Promise<readonly string[]> {
  if (Object.keys(filter).length === 0) {
    throw new UserError(`which transactions? Give their ids, or a filter such as --to example.com`);
  }
  const { transactions, next } = await listAll(router, {
    filter: { state: 'deferred', ...filter },
    limit: limits.bulkTransactions,
  });
  const count = `${transactions.length}${next === undefined ? '' : ' or more'}`;
  if (transactions.length === 0) throw new UserError('no transaction is like that', exitCodes.noInput);
  if (!yes) throw new UserError(`this would ${verb} ${count} transactions; add --yes to do it`);
  return transactions.map(({ id }) => id);
}

async function change(router: RouterClient, verb: ChangeAsk['verb'], idOrUrl: string): Promise<Change> {
  const url = router.transactionUrl(idOrUrl);
  const id = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
  try {
    // The protocol answers a cancel with 200 whatever there is to cancel: who asks for one here wants to know.
    if (verb === 'cancel') mustNotHaveEnded(await router.get(`transactions/${encodeURIComponent(id)}/history`));
    await router.post(new URL(`${url.href}/${verb}`));
    return { id, done: true, exitCode: exitCodes.ok };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { id, done: false, error: error.message, exitCode: error.exitCode };
  }
}

const ENDED = new Set(['delivered', 'failed', 'cancelled', 'abandoned']);

function mustNotHaveEnded({ state }: Readonly<Record<string, unknown>>): void {
  if (typeof state === 'string' && ENDED.has(state)) throw new UserError(`it is ${state} already`, exitCodes.dataErr);
}

function print(verb: ChangeAsk['verb'], { id, done, error = '' }: Change): void {
  if (done) process.stdout.write(`${plainText(id)}: ${DONE[verb]}\n`);
  else process.stderr.write(`${plainText(id)}: ${plainText(error)}\n`);
}
