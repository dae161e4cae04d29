/** What a long-lived process keeps of messages that have gone through: nothing. Figures of hours are in docs/performance.md. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'vitest';
import { Journey, shapes } from '../helpers/journey.ts';
import { createRest, MESSAGE, sendContent, sendSmtp, smtpClient } from '../helpers/journey-mail.ts';
import type { KoukanProcess } from '../helpers/process.ts';

const CLIENTS = 10;
/** Of each way in, and of each client in a round. */
const MESSAGES = 20;
const ROUND = 2 * CLIENTS * MESSAGES + CLIENTS;
const ROUNDS = 5;
/** What is left of one where only its state is kept is 2000; what V8 compiles late comes to some 700 for each of so few. */
const BYTES_PER_MESSAGE = 1400;

/** At SIGUSR2 it collects what is garbage, and says what is in use. */
const PRELOAD = `
const { isMainThread } = require('node:worker_threads');
if (isMainThread) {
  require('node:v8').setFlagsFromString('--expose-gc');
  const gc = require('node:vm').runInNewContext('gc');
  process.on('SIGUSR2', () => {
    for (let i = 0; i < 3; i += 1) gc();
    process.stderr.write('in use: ' + process.memoryUsage().heapUsed + ' bytes\\n');
  });
}
`;

describe('the heap', () => {
  it.for(shapes)('keeps nothing of messages that have gone: %s', { timeout: 180_000 }, async (shape, context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    const preload = path.join(journey.folder, 'preload.cjs');
    await writeFile(preload, PRELOAD);
    journey.env = { NODE_OPTIONS: `--require ${preload}` };
    const { processes } = await journey.start(shape);

    for (let round = 0; round < 2; round += 1) await goThrough(context, journey);
    await journey.sink.received(2 * ROUND);
    const before = await inUse(processes);
    for (let round = 0; round < ROUNDS; round += 1) await goThrough(context, journey);
    await journey.sink.received((2 + ROUNDS) * ROUND);

    // History is written behind, and what is idle is closed after a while.
    const grown = async (): Promise<number> =>
      Math.max(...(await inUse(processes)).map((bytes, i) => bytes - (before[i] as number)));
    await expect.poll(grown, { timeout: 60_000, interval: 500 }).toBeLessThan(ROUNDS * ROUND * BYTES_PER_MESSAGE);
  });
});

/** Over connections that stay, over some that do not, and from applications, at the same time. */
async function goThrough(context: TestContext, journey: Journey): Promise<void> {
  const { mx } = journey.ports;
  const clients = Array.from({ length: CLIENTS }, async (_, i) => {
    const rcpt = `user${i}@far.example`;
    await sendMany(context, mx, rcpt);
    await sendSmtp(context, { port: mx, rcpts: [rcpt] });
    for (let k = 0; k < MESSAGES; k += 1) await createRest({ url: journey.routerUrl, message: MESSAGE, rcpt });
  });
  await Promise.all(clients);
}

async function sendMany(context: TestContext, port: number, rcpt: string): Promise<void> {
  const client = await smtpClient(context, port);
  for (let k = 0; k < MESSAGES; k += 1) {
    await client.command('MAIL FROM:<alice@example.com>');
    await client.command(`RCPT TO:<${rcpt}>`);
    await client.command('DATA');
    context.expect(await sendContent(client, MESSAGE)).toMatch(/^250 /);
  }
  client.destroy();
}

/** Bytes on the heap of each, without garbage. */
async function inUse(processes: readonly KoukanProcess[]): Promise<readonly number[]> {
  return Promise.all(
    processes.map(async (child) => {
      const said = answersOf(child).length;
      child.kill('SIGUSR2');
      await child.until(new RegExp(`(in use: \\d+ bytes[^]*){${said + 1}}`));
      return Number(answersOf(child).at(-1)?.[1]);
    }),
  );
}

const answersOf = ({ stderr }: KoukanProcess): RegExpMatchArray[] => [...stderr.matchAll(/in use: (\d+) bytes/g)];
