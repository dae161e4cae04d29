/**
 * A message that has no room on the disk takes none of it: who sends a small one afterwards does not notice. And a disk never becomes so full that
 * what lies there cannot be collected.
 */
import { readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { Journey } from '../helpers/journey.ts';
import { createRest, sendSmtp } from '../helpers/journey-mail.ts';
import { puttingOff } from './load.ts';
import { mayMount, smallDisk } from './small-disk.ts';

/** More than the disk has. */
const LARGE = `Subject: large\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(16_000)}`;

it('a large message without room on the disk leaves the room there is to small ones, at once', async (context) => {
  const { expect } = context;
  const far = puttingOff();
  const disk = smallDisk(context, 12);
  disk.shrink();
  const databaseUrl = `sqlite:///${disk.folder}/koukan.sqlite`;
  const journey = await Journey.open(context, { databaseUrl, far: far.script, times: { msaRcpt: 5, msaData: 10 } });
  const serve = await journey.serve();
  disk.shrink(serve);
  const submit = async (rcpt: string, message?: string): Promise<string | undefined> => {
    const rcpts = [`${rcpt}@far.example`];
    return (await sendSmtp(context, { port: journey.ports.msa, rcpts, ...(message && { message }) })).data;
  };
  for (let i = 0; i < 3; i += 1) {
    expect(await submit(`stored-large${i}`, LARGE)).toMatch(/^452 4\.3\.1 /);
    expect(await submit(`stored-small${i}`)).toMatch(/^250 /);
    const rest = await createRest({
      url: journey.routerUrl,
      rcpt: `app-small${i}@far.example`,
      message: 'a: b\r\n\r\nc\r\n',
    });
    expect(rest.status).toBe(201);
  }
  const files = await readdir(disk.folder, { recursive: true });
  expect(files.filter((file) => file.startsWith('koukan.sqlite-bodies/'))).toEqual([]);
  far.takeAll();
  await journey.sink.received(6);
  const arrived = journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address ?? '');
  expect(arrived.filter((rcpt) => rcpt.includes('large'))).toEqual([]);
  expect(await serve.terminate()).toEqual({ code: 0, signal: null });
});

it.runIf(mayMount())(
  'a disk that messages have filled becomes free by itself when they have ended',
  async (context) => {
    const far = puttingOff();
    const disk = smallDisk(context, 24);
    disk.shrink();
    const databaseUrl = `sqlite:///${disk.folder}/koukan.sqlite`;
    const journey = await Journey.open(context, { databaseUrl, far: far.script, times: { gcTtl: 1 } });
    const serve = await journey.serve();
    let promised = 0;
    const create = async (sizeBytes: number): Promise<number> => {
      const rcpt = `stored${promised}@far.example`;
      const message = `a: b\r\n\r\n${'x'.repeat(sizeBytes)}\r\n`;
      const { status } = await createRest({ url: journey.routerUrl, rcpt, message });
      if (status === 201) promised += 1;
      return status;
    };
    // To the last block, as far as the store lets us: with ever smaller ones.
    for (const sizeBytes of [500_000, 50_000, 500]) {
      let [status, tries] = [201, 0];
      for (; status === 201 && tries < 10_000; tries += 1) status = await create(sizeBytes);
      expect(status).toBe(503);
    }
    far.takeAll();
    await journey.sink.received(promised);
    await expect.poll(() => create(500_000), { timeout: 20_000, interval: 100 }).toBe(201);
    await journey.sink.received(promised);
    expect(new Set(journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address)).size).toBe(promised);
    expect(serve.stderr).not.toContain('garbage collection failed');
    expect(await serve.terminate()).toEqual({ code: 0, signal: null });
  },
);
