/** A plugin's filter is still at work on a message whose client has left. */
import { expect, it, onTestFinished } from 'vitest';
import { type Body, bodyBytes, defineFilter, type TxContext } from '../../src/index.ts';
import { registry } from '../../src/lib/chain/registry.ts';
import { withPlugins } from '../../src/lib/plugins/load-plugins.ts';
import { sqlite } from '../helpers/databases.ts';
import { SmtpClient } from '../helpers/dialog.ts';
import { settle } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, startRouter } from '../helpers/router-harness.ts';
import { smtpService } from '../helpers/smtp-service.ts';

type Read = (tx: TxContext, body: Body) => Promise<unknown>;

/** A listener and a router in one process, whose chain for mail from outside has a filter that does this with a message. */
async function serviceWith(read: Read): Promise<{ harness: Harness; port: number }> {
  const slow = defineFilter({
    name: 'slow',
    summary: 'takes its time',
    create: () => () => ({ data: (tx, body, next) => read(tx, body).then(() => next(body)) }),
  });
  const whole = withPlugins(registry, [{ path: [], isWhole: true, plugin: { name: 'odd', filters: [slow] } }], []);
  const chains = `${DEFAULT_CHAINS}
- name: slow
  chain: [{filter: slow}, {filter: exploder}]
`.replace(
    'sender:\n',
    'sender:\n- {name: incoming, output_chain: slow, tag: [{name: mx, output_chain: slow}], upstream_sender: oneshot}\n',
  );
  const database = await sqlite.create();
  const harness = await startRouter({ databaseUrl: database.url, chains, registry: whole });
  const hop = { ...harness.router.hop, exchanges: [], delivered: [] };
  const service = await smtpService({ hop, config: { sender: 'incoming', tag: 'mx' } });
  onTestFinished(async () => {
    await service.close();
    await harness.stop();
    await database.drop();
  });
  return { harness, port: service.port };
}

const untilLeft = ({ signal }: TxContext): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));

it.each<[string, Read]>([
  ['read at the moment it hears of that', (tx, body) => untilLeft(tx).then(() => bodyBytes(body))],
  [
    'read later',
    async (tx, body) => {
      await untilLeft(tx);
      await settle(20);
      return bodyBytes(body);
    },
  ],
  [
    'held, without listening',
    async (_, body) => {
      for (let i = 0; i < 100_000; i += 1) {
        await settle(1);
        body.retain()();
      }
    },
  ],
])('may find its message gone, and ends with its client: nothing is logged for that (%s)', async (_, read) => {
  let ends = 0;
  const { harness, port } = await serviceWith((tx, body) => {
    begun += 1;
    return read(tx, body).finally(() => {
      ends += 1;
    });
  });
  let begun = 0;
  const client = await SmtpClient.connect(port);
  await client.reply();
  await client.command('EHLO a.example');
  await client.command('MAIL FROM:<alice@example.com>');
  await client.command('RCPT TO:<bob@example.com>');
  await client.command('DATA');
  await client.send('subject: hi\r\n\r\nhello\r\n.\r\n');
  await expect.poll(() => begun).toBe(1);
  client.destroy();
  await expect.poll(() => ends).toBe(1);
  await settle(20);
  expect(harness.log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
});
