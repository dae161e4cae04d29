/** What supervisors and collectors hear, over real HTTP: of a server, and of a router at every moment of its life. */
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { registry } from '../../src/lib/chain/registry.ts';
import { parseRouterConfig } from '../../src/lib/config/load.ts';
import type { Access } from '../../src/lib/http/access.ts';
import { itself } from '../../src/lib/http/caller.ts';
import { createRestServer, type RestServer, type RestServerOptions } from '../../src/lib/http/server.ts';
import { RequestProblem } from '../../src/lib/http/service.ts';
import { createMetrics } from '../../src/lib/ops/metrics.ts';
import { Router } from '../../src/lib/router/router.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { tickUntil } from '../helpers/fake-clock.ts';
import { fakeDeps, memoryLog, realClock } from '../helpers/fake-deps.ts';
import { FarEnd } from '../helpers/far-end.ts';
import { freePort } from '../helpers/journey-ports.ts';
import { MemoryService } from '../helpers/memory-service.ts';
import { metricValue, parseMetrics } from '../helpers/prometheus.ts';
import { DEFAULT_CHAINS, type Harness, startRouter } from '../helpers/router-harness.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(options: Partial<RestServerOptions>): Promise<(path: string) => Promise<Response>> {
  const server: RestServer = await createRestServer({
    service: new MemoryService(),
    log: memoryLog(),
    clock: realClock,
    ...options,
  });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  cleanups.push(() => server.close(AbortSignal.abort()));
  return (path) => fetch(`http://127.0.0.1:${port}${path}`);
}

describe('health', () => {
  it('is told to anybody, in words that reveal nothing', async () => {
    const access: Access = {
      identify: () => {
        throw new RequestProblem(401, 'a bearer token is needed');
      },
    };
    let missing: readonly string[] = ['session', 'store'];
    const ask = await serve({ access, health: { readiness: () => missing } });
    const live = await ask('/livez');
    expect([live.status, await live.json()]).toEqual([200, { alive: true }]);
    const early = await ask('/readyz');
    expect([early.status, await early.json()]).toEqual([503, { ready: false, not_ready: ['session', 'store'] }]);
    missing = [];
    const ready = await ask('/readyz');
    expect([ready.status, await ready.json()]).toEqual([200, { ready: true }]);
    expect((await ask('/transactions')).status).toBe(401);
  });

  it('shows metrics to operators alone', async () => {
    const metrics = await createMetrics();
    metrics.counter('koukan_test_total', 'A test.', ['sender']).with('a"b\\c\n').inc(2);
    const asStranger = { identify: () => ({ ...itself, isOperator: false }) };
    const closed = await serve({ access: asStranger, health: { metrics: () => metrics.text() } });
    expect((await closed('/metrics')).status).toBe(403);
    const open = await serve({ health: { metrics: () => metrics.text() } });
    const answer = await open('/metrics');
    expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const families = parseMetrics(await answer.text());
    expect(metricValue(families, 'koukan_test_total', { sender: 'a\\"b\\\\c\\n' })).toBe(2);
  });

  it('counts what there is too much of as other', async () => {
    const metrics = await createMetrics();
    const family = metrics.counter('koukan_many_total', 'Many.', ['name']);
    for (let i = 0; i < 2000; i += 1) family.with(`n${i}`).inc();
    const families = parseMetrics((await metrics.text()).text);
    expect(families.get('koukan_many_total')?.samples.length).toBeLessThanOrEqual(501);
    expect(metricValue(families, 'koukan_many_total')).toBe(2000);
    expect(metricValue(families, 'koukan_many_total', { name: 'other' })).toBe(1500);
  });
});

describe.each(databases)('a router on $name', (kind) => {
  async function start(options: { readonly wrapStore?: Parameters<typeof startRouter>[0]['wrapStore'] } = {}) {
    const database: TestDatabase = await kind.create();
    cleanups.push(() => database.drop());
    const { wrapStore } = options;
    const harness: Harness = await startRouter({ databaseUrl: database.url, ...(wrapStore && { wrapStore }) });
    cleanups.push(() => harness.stop());
    return { harness };
  }

  it('is not ready before its session is open, though it listens and has who comes wait, and while it drains', async () => {
    const database = await kind.create();
    cleanups.push(() => database.drop());
    const port = await freePort();
    const config = parseRouterConfig(
      `rest_listener: {addr: [127.0.0.1, ${port}], session_uri: 'http://127.0.0.1:${port}'}
storage: {url: '${database.url}', auto_migrate: true}
${DEFAULT_CHAINS.replace('notification: {sender: bounces}', '')}`,
      'router.yaml',
    );
    const log = memoryLog();
    const deps = fakeDeps({ log });
    const opened = await openTestStore(database);
    let open = (): void => undefined;
    const isOpening = new Promise<void>((resolve) => {
      open = resolve;
    });
    const store = new Proxy(opened, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (key !== 'openSession') return typeof value === 'function' ? value.bind(target) : value;
        return (...args: Parameters<Store['openSession']>) => isOpening.then(() => target.openSession(...args));
      },
    });
    const spool = new Spool(path.join(tmpdir(), 'koukan-test-spool'), deps);
    const router = new Router({ config, deps, registry, store, spool, hop: () => new FarEnd() });
    const starting = router.start();
    const readyz = (): Promise<Response> => fetch(`http://127.0.0.1:${port}/readyz`);
    let answer = await readyz().catch(() => undefined);
    while (answer === undefined) answer = await readyz().catch(() => undefined);
    expect([answer.status, await answer.json()]).toEqual([503, { ready: false, not_ready: ['session'] }]);
    const senders = `http://127.0.0.1:${port}/senders`;
    const early = ['ingress', 'native'].map(async (sender) => {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ mail_from: { m: 'a@example.com' }, rcpt_to: [{ m: 'b@example.com' }] });
      return (await fetch(`${senders}/${sender}/transactions`, { method: 'POST', headers, body })).status;
    });
    // Who came is not answered yet, and not put off.
    for (let i = 0; i < 5; i += 1) expect((await readyz()).status).toBe(503);
    open();
    await starting;
    expect(await Promise.all(early)).toEqual([201, 201]);
    expect(log.lines.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
    expect((await readyz()).status).toBe(200);
    await router.quiesce();
    expect(await (await readyz()).json()).toEqual({ ready: false, not_ready: ['draining'] });
    const [sender] = config.senders.keys();
    const create = await fetch(`http://127.0.0.1:${port}/senders/${sender}/transactions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ mail_from: { m: 'a@example.com' }, rcpt_to: [{ m: 'b@example.com' }] }),
    });
    expect([create.status, await create.json()]).toMatchObject([503, { detail: 'shutting down' }]);
    await router.stop(AbortSignal.abort());
  });

  it('is not ready while its store takes no writes, nor when its session may be taken over', async () => {
    let isAway = false;
    const { harness } = await start({
      wrapStore: (store) =>
        new Proxy(store, {
          get(target, key) {
            if (key === 'stats') return { ...target.stats, isFailing: isAway };
            if (key === 'refreshSession' && isAway) return () => Promise.reject(new StoreUnavailableError('away'));
            const value: unknown = Reflect.get(target, key, target);
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
    });
    expect(harness.router.missing).toEqual([]);
    isAway = true;
    expect(harness.router.missing).toEqual(['store']);
    await harness.clock.advance(120_000);
    expect(harness.router.missing).toEqual(['session', 'store']);
    isAway = false;
    await tickUntil(harness.clock, () => harness.router.missing.length === 0);
  });
});
