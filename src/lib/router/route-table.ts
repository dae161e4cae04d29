/** Which chain a sender's transactions run through: every (sender, tag) of the configuration with its compiled chain. */
import { must } from '../core/errors.ts';
import type { Route } from './work.ts';

export type RouteLookup =
  | { readonly kind: 'found'; readonly route: Route }
  | { readonly kind: 'unknownSender' | 'unknownTag' };

export class RouteTable {
  readonly #routes: ReadonlyMap<string, ReadonlyMap<string | undefined, Route>>;

  constructor(routes: readonly Route[]) {
    const bySender = new Map<string, Map<string | undefined, Route>>();
    for (const route of routes) {
      const tags = bySender.get(route.sender.name) ?? new Map<string | undefined, Route>();
      bySender.set(route.sender.name, tags.set(route.sender.tag, route));
    }
    this.#routes = bySender;
  }

  find(sender: string, tag: string | undefined): RouteLookup {
    const tags = this.#routes.get(sender);
    if (tags === undefined) return { kind: 'unknownSender' };
    const route = tags.get(tag);
    return route === undefined ? { kind: 'unknownTag' } : { kind: 'found', route };
  }

  /** For names that were checked when the configuration was loaded. */
  get(sender: string, tag: string | undefined): Route {
    const lookup = this.find(sender, tag);
    must(lookup.kind === 'found', `sender ${sender}, tag ${tag ?? 'none'} was checked at load`);
    return lookup.route;
  }
}
