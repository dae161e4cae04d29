/** What an operator reads when the next hop refuses: the peer's own words, once, without a stack. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { HttpClient } from '../../src/lib/http/http-client.ts';
import { httpHop } from '../../src/lib/http/http-hop.ts';
import { fakeDeps, memoryLog, realClock } from '../helpers/fake-deps.ts';

it('names the field the next hop refused, at warning level', async () => {
  const server = createServer((_, response) => {
    response.writeHead(400, { 'content-type': 'application/problem+json' });
    response.end(JSON.stringify({ status: 400, detail: 'unknown tag t', pointer: '/sender/tag' }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = new HttpClient();
  onTestFinished(async () => {
    await client.close(AbortSignal.abort());
    server.close();
  });
  const log = memoryLog();
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/senders/inbound/transactions`;
  const hop = httpHop({ endpoint, client, deps: fakeDeps({ clock: realClock, log }) });
  const exchange = hop.open({
    sender: 'inbound',
    tag: 't',
    rcptTimeoutMs: 5000,
    dataTimeoutMs: 5000,
    createAt: 'mail',
  });
  expect(await exchange.mail(mailbox('a@b.example'))).toMatchObject({ code: 450, text: 'upstream http error 400' });
  await exchange.close();
  const warnings = log.lines.filter(({ level }) => level === 'warn');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]?.fields.detail).toBe(`${endpoint}: /sender/tag: unknown tag t`);
});
