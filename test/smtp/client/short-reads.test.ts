import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { limits } from '../../../src/lib/core/limits.ts';
import { ShortReads } from '../../../src/lib/smtp/client/short-reads.ts';
import { type ScriptedServer, scriptedServer } from './scripted-server.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(text: string): Promise<ScriptedServer> {
  const started = await scriptedServer(async (peer) => {
    peer.say(text);
    peer.socket.end();
  });
  cleanups.push(() => started.close());
  return started;
}

it('hears everything in order, whether it came before anybody listened or after, and however much it is', async () => {
  const text = Array.from({ length: 2000 }, (_, i) => `250-line ${i}\r\n`).join('');
  expect(text.length).toBeGreaterThan(limits.smtpReadBytes);
  const { host, port } = await server(text);
  for (const isLate of [true, false]) {
    const reads = new ShortReads();
    const socket = connect({ host, port, onread: reads.onread });
    cleanups.push(() => socket.destroy());
    let heard = '';
    const listen = (): void => reads.listen((bytes, length) => (heard += bytes.toString('latin1', 0, length)));
    if (!isLate) listen();
    await once(socket, 'end');
    if (isLate) listen();
    expect(heard).toBe(text);
  }
});
