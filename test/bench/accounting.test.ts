/** The benchmark is believed only if it sees what goes wrong: it is run against a relay that loses, repeats, alters, swaps and refuses messages. */
import { execa } from 'execa';
import { createTransport } from 'nodemailer';
import { afterEach, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { type Sink, type SinkMessage, startSink } from '../../src/lib/smtp/sink/sink.ts';

type Deliver = (to: string, message: Buffer) => void;

const opened: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0)) await close();
});

/** The benchmark's number of a message. */
const numberOf = (address: string): number => Number.parseInt(address, 10);

/** A relay to `port` that does `relay` with each message. It refuses every recipient `isRefused` names. */
async function startRelay(
  port: number,
  relay: (message: SinkMessage, deliver: Deliver) => void,
  isRefused: (number: number) => boolean = () => false,
): Promise<Sink> {
  const transport = createTransport({ host: '127.0.0.1', port, pool: true, maxMessages: Number.POSITIVE_INFINITY });
  const deliver: Deliver = (to, raw) => {
    transport.sendMail({ envelope: { from: 'relay@relay.example', to }, raw }).catch(() => undefined);
  };
  const sink = await startSink({
    keep: 0,
    onMessage: (message) => relay(message, deliver),
    reply: (stage, address) =>
      stage === 'rcpt' && isRefused(numberOf(address)) ? reply(550, '5.1.1', 'no') : undefined,
  });
  opened.push(
    () => transport.close(),
    () => sink.close(),
  );
  return sink;
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const sink = await startSink();
  const { port } = sink;
  await sink.close();
  return port;
}

async function bench(
  relay: Sink,
  sinkPort: number,
  sizes = '2000',
): Promise<{ exitCode: number; result: Record<string, unknown> }> {
  const target = ['--target', `127.0.0.1:${relay.port}`, '--sink-port', String(sinkPort)];
  const size = ['--sizes', sizes, '--n', '100'];
  const load = [...size, '--sessions', '4', '--warmup', '0', '--repeat', '1', '--patience', '2'];
  const { exitCode, stdout } = await execa('node', ['bench/run.mjs', ...target, ...load], { reject: false });
  return { exitCode: exitCode ?? -1, result: JSON.parse(stdout) };
}

it('finds nothing wrong with a relay that delivers every message once, as it was', async () => {
  const sinkPort = await freePort();
  const relay = await startRelay(sinkPort, ({ rcptTo, body }, deliver) => {
    for (const { address } of rcptTo) deliver(address, Buffer.concat([Buffer.from('Received: by relay\r\n'), body]));
  });
  const { exitCode, result } = await bench(relay, sinkPort);
  const clean = { lost: 0, duplicated: 0, altered: 0, swapped: 0, stray: 0, refused: 0, unpromised: 0 };
  expect(result).toMatchObject({ accepted: 100, delivered: 100, ...clean });
  expect(exitCode).toBe(0);
});

it('counts every lost, duplicated, altered, swapped and refused message', async () => {
  const sinkPort = await freePort();
  // Whichever of the two comes first.
  const held: { content?: Buffer; envelope?: string } = {};
  const relay = await startRelay(
    sinkPort,
    ({ rcptTo, body }, deliver) => {
      const to = rcptTo[0]?.address ?? '';
      const number = numberOf(to);
      if ([10, 20, 30].includes(number)) return;
      if ([11, 21].includes(number)) deliver(to, body);
      if ([12, 22].includes(number)) body[body.length - 40] = 0x21;
      if (number === 13) deliver(to, Buffer.concat([body, Buffer.from('one more line\r\n')]));
      else if (number === 14) held.content = body;
      else if (number === 15) held.envelope = to;
      else deliver(to, body);
      if (![14, 15].includes(number) || held.content === undefined || held.envelope === undefined) return;
      deliver(held.envelope, held.content);
    },
    (number) => number === 40,
  );
  const { exitCode, result } = await bench(relay, sinkPort);
  // 14 was held back: it is lost, and its content came with the envelope of 15.
  expect(result).toMatchObject({ lost: 4, duplicated: 2, altered: 3, swapped: 1, refused: 1, accepted: 99 });
  expect(result).toMatchObject({ delivered: 95, unpromised: 0, refusals: { 'rcpt:550': 1 } });
  expect(exitCode).toBe(1);
});

it('counts a message as altered that has a piece of another one in it, at any place', async () => {
  const sinkPort = await freePort();
  let other: Buffer | undefined;
  const relay = await startRelay(sinkPort, ({ rcptTo, body }, deliver) => {
    const to = rcptTo[0]?.address ?? '';
    const piece = numberOf(to) % 10;
    if (other !== undefined && piece > 0) other.copy(body, piece * 10_000, piece * 10_000, (piece + 1) * 10_000);
    if (piece === 0) other = Buffer.from(body);
    deliver(to, body);
  });
  const { exitCode, result } = await bench(relay, sinkPort, '100000');
  // Those of which the number ends in 0 are as they were, and those before the first of them.
  expect(result).toMatchObject({ lost: 0, duplicated: 0, swapped: 0, delivered: 100 });
  expect(result.altered).toBeGreaterThanOrEqual(80);
  expect(exitCode).toBe(1);
});

it('tells messages of several sizes apart, each with its own bytes', async () => {
  const sinkPort = await freePort();
  let other: Buffer | undefined;
  const relay = await startRelay(sinkPort, ({ rcptTo, body }, deliver) => {
    const to = rcptTo[0]?.address ?? '';
    const number = numberOf(to);
    // Every third is large.
    if (number === 2) other = Buffer.from(body);
    if (number === 50) other?.copy(body, 40_000, 40_000, 50_000);
    deliver(to, [30, 32].includes(number) ? body.subarray(0, -100) : body);
  });
  const { exitCode, result } = await bench(relay, sinkPort, '2000:2,70000');
  expect(result).toMatchObject({ accepted: 100, lost: 0, duplicated: 0, swapped: 0, delivered: 100, altered: 3 });
  expect(exitCode).toBe(1);
});
