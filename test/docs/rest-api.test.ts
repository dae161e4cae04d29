/** docs/rest-api.md says what a router answers: each exchange on the page is held with one, in order. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it, onTestFinished, type TestContext } from 'vitest';
import { hashSecret, mintSecret } from '../../src/lib/auth/secrets.ts';
import { systemRng } from '../../src/lib/ops/rng.ts';
import { startSink } from '../../src/lib/smtp/sink/sink.ts';
import { DocClient, docExchanges } from '../helpers/doc-exchanges.ts';
import { freePort } from '../helpers/journey-ports.ts';
import { KoukanProcess, projectRoot } from '../helpers/process.ts';

const PATIENCE_MS = 15_000;
const exchanges = docExchanges(await readFile(path.join(projectRoot, 'docs/rest-api.md'), 'utf8'));
const token = mintSecret(systemRng);

/** The programs of the page, each at a port of its own. */
async function startPrograms(context: TestContext): Promise<ReadonlyMap<number, number>> {
  const folder = await mkdtemp(path.join(tmpdir(), 'koukan-rest-api-'));
  context.onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const sink = await startSink();
  onTestFinished(() => sink.close());
  const ports = new Map([[3025, sink.port]]);
  for (const port of [8000, 8001, 8002, 8010, 1025, 1587, 1465]) ports.set(port, await freePort());
  const portOf = (port: number): string => String(ports.get(port) ?? port);
  const write = async (name: string, from: string, change = (text: string): string => text): Promise<void> => {
    const text = await readFile(path.join(projectRoot, 'config/local-test', from), 'utf8');
    const moved = text.replaceAll(/(?<=localhost:|\[127\.0\.0\.1, |port: )\d{4}/g, (port) => portOf(Number(port)));
    await writeFile(path.join(folder, name), change(moved));
  };
  for (const file of ['test-only-localhost.crt', 'test-only-localhost.key']) await write(file, file);
  // What is deferred stays so, however slow the machine is.
  const unhurried = (text: string): string =>
    text
      .replace('min_attempt_time: 2', 'min_attempt_time: 600')
      .replace('deadline: 30', 'deadline: 6000')
      .replace('max_attempt_time: 5', 'max_attempt_time: 600');
  await write('router.yaml', 'router.yaml', unhurried);
  await write('gateway.yaml', 'gateway.yaml');
  await write('tokens.yaml', 'router.yaml', (text) =>
    text
      .replace('rest_listener:\n', 'rest_listener:\n  auth_tokens: tokens.json\n')
      .replace('koukan-local-test', 'koukan-tokens')
      .replaceAll(portOf(8000), portOf(8010)),
  );
  const grant = { hash: hashSecret(token), senders: ['submission'] };
  await writeFile(path.join(folder, 'tokens.json'), JSON.stringify({ shop: grant }));
  await mkdir(path.join(folder, 'received'));
  const run = (...args: readonly string[]) => KoukanProcess.start(context, { args, cwd: folder });
  const serve = run('serve', 'router.yaml', 'gateway.yaml');
  const withTokens = run('router', 'tokens.yaml');
  const receiver = run('receive', '--port', portOf(8002), '--dir', 'received');
  await Promise.all([
    serve.until('router ready'),
    serve.until('gateway ready'),
    withTokens.until('router ready'),
    receiver.until(portOf(8002)),
  ]);
  return ports;
}

it('holds every exchange of docs/rest-api.md, and leaves no route out', async (context) => {
  const ports = await startPrograms(context);
  const client = new DocClient(ports, { TOKEN1: token });
  expect(exchanges.length).toBeGreaterThan(30);
  for (const exchange of exchanges) {
    const { method, url } = exchange.request;
    const differences = await client.hold(exchange, PATIENCE_MS);
    expect(differences, `docs/rest-api.md:${exchange.line}: ${method} ${url}`).toEqual([]);
  }
  expect(await routesWithoutExample(`http://localhost:${ports.get(8000)}/openapi.json`)).toEqual([]);
  // The comparison itself: a page that says something else is noticed.
  const refused = exchanges.find(({ request }) => request.body.includes('rcpt_too'));
  if (refused === undefined) throw new Error('the page has lost its mistyped field');
  const wrong = { ...refused.answer, body: refused.answer.body.replace('/rcpt_too', '/rcpt_to') };
  const differences = await client.hold({ ...refused, answer: wrong }, PATIENCE_MS);
  expect(differences).toEqual([expect.stringContaining('/rcpt_too')]);
});

async function routesWithoutExample(openApi: string): Promise<readonly string[]> {
  const document = (await (await fetch(openApi)).json()) as { paths: Record<string, Record<string, unknown>> };
  const asked = exchanges.map(({ request }) => `${request.method} ${new URL(request.url).pathname}`);
  return Object.entries(document.paths).flatMap(([route, methods]) => {
    const pattern = new RegExp(`^${route.replaceAll(/\{\w+\}/g, '[^/]+')}$`);
    return Object.keys(methods)
      .map((method) => method.toUpperCase())
      .filter(
        (method) => !asked.some((line) => line.startsWith(`${method} `) && pattern.test(line.split(' ')[1] ?? '')),
      )
      .map((method) => `${method} ${route}`);
  });
}
