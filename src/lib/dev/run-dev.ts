/** What `koukan dev` does and prints. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { exitCodes } from '../core/errors.ts';
import { systemClock } from '../ops/clock.ts';
import { createLog } from '../ops/log.ts';
import { onShutdown, stopOnceStarted } from '../ops/shutdown.ts';
import type { ReceivedMessage } from '../receiver/received-message.ts';
import type { SinkMessage } from '../smtp/sink/sink.ts';
import { Arrivals, checkFlows, type FlowResult } from './check.ts';
import { type DevEnvironment, packageRoot, startDev } from './environment.ts';
import { commandLine, flows } from './flows.ts';
import { quotedSubject } from './quoted-subject.ts';

export interface DevAsk {
  readonly check: boolean;
  readonly split: boolean;
  readonly verbose: boolean;
  readonly json: boolean;
}

const STOP_DEADLINE_MS = 5000;

/**
 * Answers the exit code of a check; without `check` it resolves as soon as everything listens, and signals end it. A check that a signal
 * ends has found nothing out: 75.
 */
export async function runDev(ask: DevAsk): Promise<number> {
  const arrivals = new Arrivals();
  const say = ask.check ? () => undefined : (line: string) => process.stdout.write(`${line}\n`);
  const starting = startDev({
    log: { level: ask.verbose ? 'info' : 'error', format: 'text' },
    join: ask.split ? 'http' : 'call',
    onSink: (message) => {
      for (const { address } of message.rcptTo) arrivals.note('sink', address);
      say(describeSink(message));
    },
    onReceiver: (message) => {
      for (const address of message.rcptTo) {
        arrivals.note('receiver', address);
        if (message.parsed !== undefined) arrivals.note('parsed', address);
      }
      say(describeReceived(message));
    },
  });
  const interrupted = new AbortController();
  let checked: Promise<boolean> | undefined;
  const stop = async (environment: DevEnvironment, hurry: AbortSignal): Promise<void> => {
    interrupted.abort();
    await Promise.allSettled([checked]);
    await environment.stop(hurry);
  };
  onShutdown(stopOnceStarted(starting, stop), {
    clock: systemClock,
    log: createLog({ level: 'warn', format: 'text' }),
    deadlineMs: STOP_DEADLINE_MS,
    exit: (code) => process.exit(ask.check && code === exitCodes.ok ? exitCodes.tempFail : code),
  });
  const environment = await starting;
  if (ask.check) {
    checked = check(environment, arrivals, ask.json, interrupted.signal);
    return (await checked) ? exitCodes.ok : exitCodes.unavailable;
  }
  for (const line of banner(environment)) say(line);
  return exitCodes.ok;
}

async function check(
  environment: DevEnvironment,
  arrivals: Arrivals,
  isJson: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await checkFlows(arrivals, signal, (result) =>
      process.stdout.write(`${isJson ? JSON.stringify(result) : resultLine(result)}\n`),
    );
  } finally {
    await environment.stop(AbortSignal.abort());
  }
}

function resultLine({ title, rcpt, ok, detail }: FlowResult): string {
  return `${ok ? 'ok    ' : 'FAILED'} ${title.padEnd(19)} ${rcpt}: ${detail}`;
}

function banner(environment: DevEnvironment): string[] {
  const width = Math.max(...environment.listeners.map(([address]) => address.length));
  return [
    'Koukan is running:',
    ...environment.listeners.map(([address, what]) => `  ${address.padEnd(width)}  ${what}`),
    '',
    'Try, in another terminal:',
    ...flows(examplesDir()).map((flow) => `  ${commandLine(flow)}`),
    '',
    'Ctrl-C ends it. Mail that passes:',
  ];
}

/** As a user of a clone would type it; where the package is installed there is no `examples` at hand. */
function examplesDir(): string {
  return existsSync('examples/send-message/message-builder.json') ? 'examples' : path.join(packageRoot, 'examples');
}

function describeSink({ mailFrom, rcptTo, body }: SinkMessage): string {
  const rcpts = rcptTo.map(({ address }) => address).join(', ');
  const subject = quotedSubject(body);
  return `  sink      <${mailFrom.address}> → ${rcpts}, ${body.length} bytes${subject}`;
}

function describeReceived({ mailFrom = '', rcptTo, file, sizeBytes, parsedFile }: ReceivedMessage): string {
  const asJson = parsedFile === undefined ? '' : `, as JSON in ${path.basename(parsedFile)}`;
  return `  receiver  <${mailFrom}> → ${rcptTo.join(', ')}, ${sizeBytes} bytes in ${file}${asJson}`;
}
