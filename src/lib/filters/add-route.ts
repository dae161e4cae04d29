/**
 * `add_route`: sends a copy of the transaction through the chain of another sender of this router: a journal, an archive, a second system that
 * must have it too. Without store-and-forward the copy has to be accepted before the message goes on; with it the copy is stored, and
 * delivered from the store once the message itself was taken.
 */
import { z } from 'zod';
import type { Child, CopyAsk, StoredCopy } from '../chain/child.ts';
import { type ChainEnv, defineFilter, type Filter, type TxContext } from '../chain/filter.ts';
import { ConfigError, type ConfigPath } from '../config/source.ts';
import type { Body } from '../core/body.ts';
import { withoutDsnParams } from '../core/dsn-request.ts';
import { originOf } from '../core/envelope.ts';
import { must } from '../core/errors.ts';
import { shareOf } from '../core/fair-shares.ts';
import { domainOf, type Mailbox } from '../core/mailbox.ts';
import { nearestName } from '../core/nearest-name.ts';
import { isOk, type Response, reply } from '../core/response.ts';

const config = z.strictObject({
  sender: z.string().min(1).describe('The sender of this router whose chain the copy goes through.'),
  tag: z.string().min(1).nullish().describe('A tag of that sender.'),
  store_and_forward: z
    .boolean()
    .default(false)
    .describe('Store the copy instead of waiting for its answer; retried and bounced as that sender says.'),
  output_chain: z.string().optional().describe('Accepted and ignored: `sender` decides.'),
});

type AddRouteConfig = z.output<typeof config>;

const noRoom = reply(451, '4.3.2', 'too many transactions at work, try again later');
const notStored = reply(451, '4.3.0', 'a copy of the message could not be stored');

export const addRoute = defineFilter<AddRouteConfig>({
  name: 'add_route',
  summary: 'Sends a copy of the message through the chain of another sender.',
  config,
  leadsTo: (c) => ({ sender: c.sender, tag: c.tag ?? undefined }),
  create: (c, env) => {
    mustExist(c, env);
    return () => (c.store_and_forward ? storedCopies(c, env) : waitedFor(c, env));
  },
});

function mustExist(c: AddRouteConfig, { senders }: ChainEnv): void {
  const family = senders.get(c.sender);
  if (family === undefined) throw unknown(['sender'], `there is no sender '${c.sender}'`, c.sender, senders.keys());
  if (c.tag === undefined || c.tag === null || family.tags.has(c.tag)) return;
  throw unknown(['tag'], `the sender '${c.sender}' has no tag '${c.tag}'`, c.tag, family.tags.keys());
}

function unknown(path: ConfigPath, message: string, wanted: string, names: Iterable<string>): ConfigError {
  const suggestion = nearestName(wanted, [...names]);
  return new ConfigError([{ path, message, ...(suggestion !== undefined && { suggestion }) }]);
}

/** A copy for each recipient, asked step by step beside the message itself; what refuses the copy refuses the message. */
function waitedFor(c: AddRouteConfig, env: ChainEnv): Filter {
  let from: Mailbox | undefined;
  const copies: { readonly child: Child; isAccepted: boolean }[] = [];
  return {
    mail(tx, value, next) {
      from = withoutDsnParams(value);
      onClose(tx, () => Promise.all(copies.map(({ child }) => child.exchange.close())));
      return next(value);
    },
    async rcpt(tx, to, next) {
      must(from !== undefined, 'MAIL comes before RCPT');
      const whose = { onBehalfOf: shareOf(env.sender), domain: domainOf(to.address) };
      const child = env.children.open({ ...askOf(c, tx), ...whose, mayPark: false });
      if (child === undefined) return noRoom;
      const copy = { child, isAccepted: false };
      copies.push(copy);
      const envelope = Promise.all([child.exchange.mail(from), child.exchange.rcpt(withoutDsnParams(to))]);
      const response = await next(to);
      const refusal = (await envelope).find((answer) => !isOk(answer));
      copy.isAccepted = isOk(response) && refusal === undefined;
      if (!copy.isAccepted) await child.exchange.close();
      return isOk(response) && refusal !== undefined ? ofCopy(refusal) : response;
    },
    async data(_, body, next) {
      // The copy first: were the message to go first and the copy to be refused, the client would send the message again.
      for (const { child } of copies.filter(({ isAccepted }) => isAccepted)) {
        const answer = await child.exchange.data(body);
        if (!isOk(answer)) return ofCopy(answer);
      }
      return next(body);
    },
  };
}

/** The copies are stored before the message goes on and set going when it was taken: one that the client will send again is not copied twice. */
function storedCopies(c: AddRouteConfig, env: ChainEnv): Filter {
  return {
    async data(tx, body, next) {
      const copy = await store(c, env, tx, body);
      if (copy === undefined) return notStored;
      const answer = await next(body).catch(async (error: unknown) => {
        await settle(tx, () => copy.drop());
        throw error;
      });
      await settle(tx, () => (isOk(answer) ? copy.deliver() : copy.drop()));
      return answer;
    },
  };
}

async function store(c: AddRouteConfig, env: ChainEnv, tx: TxContext, body: Body): Promise<StoredCopy | undefined> {
  const rcptTo = tx.rcptTo.filter((_, i) => isStanding(tx.rcptReplies[i])).map(withoutDsnParams);
  must(tx.mailFrom !== undefined && rcptTo.length > 0, 'DATA follows an accepted recipient');
  try {
    return await env.children.store({ ...askOf(c, tx), mailFrom: withoutDsnParams(tx.mailFrom), rcptTo }, body);
  } catch (error) {
    tx.log.error({ error, sender: c.sender }, 'a copy could not be stored');
    return undefined;
  }
}

/** The copy is safe in the store whatever happens here: at worst it is delivered later, or although the message was refused. */
async function settle(tx: TxContext, step: () => Promise<void>): Promise<void> {
  try {
    await step();
  } catch (error) {
    tx.log.warn({ error }, 'a stored copy is left to be delivered later');
  }
}

function isStanding(answer: Response | undefined): boolean {
  return answer === undefined || isOk(answer);
}

function askOf(c: AddRouteConfig, tx: TxContext): Omit<CopyAsk, 'mailFrom' | 'rcptTo'> {
  return {
    parentId: tx.id,
    signals: tx.signals,
    sender: c.sender,
    tag: c.tag ?? undefined,
    ...originOf(tx),
  };
}

function ofCopy(answer: Response): Response {
  return { ...answer, text: `${answer.text} (add_route)` };
}

/** Copies that were not sent are cancelled when the exchange closes. */
function onClose(tx: TxContext, step: () => Promise<unknown>): void {
  tx.signal.addEventListener(
    'abort',
    () => {
      step().catch((error: unknown) => tx.log.error({ error }, 'a copy could not be closed'));
    },
    { once: true },
  );
}
