// @ts-check
/** The plugin: what router.yaml finds when it names this module, or, once it is installed, the package. */
import { definePlugin } from 'koukan';
import { helloFilter, helloMatcher, helloPolicy } from './hello.js';
import { hasTicketMatcher, ticketFilter } from './ticket.js';

export default definePlugin({
  name: 'example',
  filters: [helloFilter, ticketFilter],
  matchers: [helloMatcher, hasTicketMatcher],
  routingPolicies: [helloPolicy],
});
