/** The router as a next hop by a call: how the gateway in the same process reaches it, without HTTP and without a second copy. */
import { exchangeOf } from '../chain/live-exchange.ts';
import { refusing } from '../chain/refusing.ts';
import type { ConversationTable } from '../conversation/conversation-table.ts';
import type { Exchange } from '../core/exchange.ts';
import type { Hop, HopAsk } from '../core/hop.ts';
import { reply } from '../core/response.ts';
import { RequestProblem } from '../http/service.ts';
import type { Accept } from './accept.ts';
import type { RouteTable } from './route-table.ts';

export function localRouterHop(accept: Accept, routes: RouteTable, conversations: ConversationTable): Hop {
  return {
    offersDsn: true,
    open(ask: HopAsk): Exchange {
      if (conversations.isDraining) return refusing(reply(451, '4.3.2', 'shutting down, try again'));
      const lookup = routes.find(ask.sender, ask.tag);
      if (lookup.kind !== 'found') return refusing(reply(450, '4.3.5', `sender ${ask.sender} is not configured`));
      if (!lookup.route.chain.incremental)
        return refusing(reply(450, '4.3.5', `sender ${ask.sender} does not take SMTP`));
      try {
        const conversation = accept.openConversation(lookup.route, ask);
        return exchangeOf(conversation.live, () => conversations.cancel(conversation));
      } catch (error) {
        if (error instanceof RequestProblem) return refusing(reply(451, '4.3.2', 'too much at work, try again later'));
        throw error;
      }
    },
  };
}
