/** `koukan tx list`: transactions as a table, page after page until there are enough. */

import type { z } from 'zod';
import { exitCodes, UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { ListJson, SummaryJson } from '../../http/queue-schema.ts';
import { plainText, replyText, shortTime, table } from './plain-text.ts';
import { type RouterAsk, type RouterClient, withRouter } from './router-client.ts';

export interface ListAsk extends RouterAsk {
  readonly filter: Readonly<Record<string, string>>;
  readonly limit: number;
  readonly after?: string;
  readonly json: boolean;
}

export async function runList(ask: ListAsk): Promise<void> {
  const { transactions, next } = await withRouter(ask, (router) => listAll(router, ask));
  if (ask.json) {
    process.stdout.write(`${JSON.stringify({ transactions, ...(next && { next }) }, null, 2)}\n`);
    return;
  }
  process.stdout.write(transactions.length === 0 ? 'no transactions\n' : summaryTable(transactions));
  if (next !== undefined) process.stderr.write(`there are more: --after ${next}\n`);
}

/** Up to `limit` transactions, and the cursor of what comes after them. */
export async function listAll(
  router: RouterClient,
  { filter, limit, after }: Pick<ListAsk, 'filter' | 'limit' | 'after'>,
): Promise<{ readonly transactions: readonly SummaryJson[]; readonly next?: string }> {
  const transactions: SummaryJson[] = [];
  let cursor = after;
  while (transactions.length < limit) {
    const size = Math.min(limit - transactions.length, limits.listPageRows);
    const answer = await router.get('transactions', {
      ...filter,
      limit: String(size),
      ...(cursor !== undefined && { after: cursor }),
    });
    // Only who got an answer needs to know what one looks like: a schema takes longer to load than all of this.
    const { listSchema } = await import('../../http/queue-schema.ts');
    const page: ListJson = shaped(listSchema, answer);
    transactions.push(...page.transactions);
    cursor = page.next === undefined ? undefined : (new URL(page.next).searchParams.get('after') ?? undefined);
    if (cursor === undefined) return { transactions };
  }
  return { transactions, ...(cursor !== undefined && { next: cursor }) };
}

/** An answer in the form that was agreed on; a router that has learnt more keys since is understood. */
export function shaped<S extends z.ZodType>(schema: S, json: unknown): z.output<S> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const isNewer = parsed.error.issues.every(({ code }) => code === 'unrecognized_keys');
  if (isNewer) return json as z.output<S>;
  throw new UserError('the answer is not that of a router of this version', exitCodes.protocol);
}

export function summaryTable(transactions: readonly SummaryJson[]): string {
  return table(
    ['ID', 'CREATED', 'STATE', 'TRIES', 'SENDER', 'FROM', 'TO', 'NEXT', 'LAST REPLY'],
    transactions.map((tx) => [
      tx.id,
      shortTime(tx.created_at),
      tx.state,
      String(tx.attempts),
      plainText(tx.tag === undefined ? tx.sender : `${tx.sender}/${tx.tag}`),
      tx.mail_from === undefined ? '-' : plainText(`<${tx.mail_from}>`),
      plainText(tx.rcpt_to.join(',')) || '-',
      shortTime(tx.next_attempt_at),
      tx.last_reply === undefined ? plainText(tx.reason ?? '-') : replyText(tx.last_reply),
    ]),
  );
}
