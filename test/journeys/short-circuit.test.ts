/** A router whose next hop is another router: no SMTP between them, and the far end's own words come back through both. */
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { Journey } from '../helpers/journey.ts';
import { createRest, MESSAGE, restOutcome, sendSmtp } from '../helpers/journey-mail.ts';

/** Two places: what the first delivers goes to a sender of the second router instead of a gateway. */
async function chained(context: TestContext, sender: string): Promise<readonly [Journey, Journey]> {
  const second = await Journey.open(context, {
    far: (stage, rcpt) =>
      stage === 'rcpt' && rcpt.startsWith('nobody') ? reply(550, '5.1.1', 'nobody here') : undefined,
  });
  const first = await Journey.open(context, { farPort: second.ports.far });
  const yaml = await readFile(first.routerFile, 'utf8');
  const hop = `{name: gateway, endpoint: '${second.routerUrl}/senders/${sender}/transactions', sender: ${sender}${sender === 'ingress' ? ', tag: smtp' : ''}}`;
  await writeFile(first.routerFile, yaml.replace(/^- (\{name: gateway, .*\})$/m, `- ${hop}`));
  for (const place of [first, second]) await place.run('db', 'init', '--url', place.databaseUrl).exited;
  await Promise.all([first.serve(), second.serve()]);
  return [first, second];
}

describe.each(['app', 'ingress'])('a router whose next hop is the sender %s of another router', (sender) => {
  it.concurrent('delivers through both while the SMTP client waits', async (context) => {
    const { expect } = context;
    const [first, second] = await chained(context, sender);
    const { data } = await sendSmtp(context, { port: first.ports.mx, rcpts: ['user@far.example'] });
    expect(data).toMatch(/^250 /);
    const [message] = await second.sink.received(1);
    expect(message?.rcptTo[0]?.address).toBe('user@far.example');
    expect(message?.body.toString().match(/^Received: /gm)).toHaveLength(2);
  });

  it.concurrent('passes the far end’s refusal on in its own words', async (context) => {
    const { expect } = context;
    const [first] = await chained(context, sender);
    const { rcpts } = await sendSmtp(context, { port: first.ports.mx, rcpts: ['nobody@far.example'] });
    expect(rcpts).toEqual([expect.stringMatching(/^550 5\.1\.1 nobody here/)]);
  });

  it.concurrent('tells a REST client what became of its message', async (context) => {
    const { expect } = context;
    const [first, second] = await chained(context, sender);
    const { location } = await createRest({ url: first.routerUrl, rcpt: 'b@far.example', message: MESSAGE });
    expect(await restOutcome(location)).toMatchObject({ final_attempt_reason: 'upstream response success' });
    expect(second.sink.messages).toHaveLength(1);
  });
});
