/** What is answered when no route takes a request: 405 where others do for its path, which are named (RFC 9110 §15.5.6), 404 where there is nothing. */
import type { FastifyInstance } from 'fastify';
import { sendRefusal } from './problem-reply.ts';

interface Route {
  readonly segments: readonly string[];
  readonly methods: readonly string[];
}

/** Learns of the routes that are added after this call. */
export function addNotFound(app: FastifyInstance): void {
  const routes: Route[] = [];
  app.addHook('onRoute', ({ url, method }) => {
    routes.push({ segments: url.split('/'), methods: [method].flat() });
  });
  app.setNotFoundHandler(({ url, method }, reply) => {
    const allow = methodsOf(routes, url.replace(/\?.*/s, ''));
    if (allow === '') return sendRefusal(reply, { status: 404, detail: 'no such resource' });
    return sendRefusal(reply, {
      status: 405,
      detail: `${method} is not for this resource: ${allow}`,
      headers: { allow },
    });
  });
}

function methodsOf(routes: readonly Route[], path: string): string {
  const asked = path.split('/');
  const methods = routes.filter(({ segments }) => isMatch(segments, asked)).flatMap((route) => route.methods);
  return [...new Set(methods)].sort().join(', ');
}

/** `:id` stands for anything that is there. */
function isMatch(segments: readonly string[], asked: readonly string[]): boolean {
  return (
    segments.length === asked.length &&
    segments.every((segment, i) => (segment.startsWith(':') ? asked[i] !== '' : segment === asked[i]))
  );
}
