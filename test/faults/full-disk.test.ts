/** A message that has no room on the disk takes none of it: who sends a small one afterwards does not notice. */
import { readdir } from 'node:fs/promises';
import { it } from 'vitest';
import { Journey } from '../helpers/journey.ts';
import { createRest, sendSmtp } from '../helpers/journey-mail.ts';
import { puttingOff } from './load.ts';
import { smallDisk } from './small-disk.ts';

/** More than the disk has. */
const LARGE = `Subject: large\r\n\r\n${`${'x'.repeat(998)}\r\n`.repeat(16_000)}`;

it('a large message without room on the disk leaves the room there is to small ones, at once', async (context) => {
  const { expect } = context;
  const far = puttingOff();
  const disk = smallDisk(context, 12);
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
  expect(await readdir(`${disk.folder}/koukan.sqlite-bodies`)).toEqual([]);
  far.takeAll();
  await journey.sink.received(6);
  const arrived = journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address ?? '');
  expect(arrived.filter((rcpt) => rcpt.includes('large'))).toEqual([]);
  expect(await serve.terminate()).toEqual({ code: 0, signal: null });
});
