/** What `koukan fake-smtpd` does: start a sink, print what it takes, and stay until a signal. */
import { exitCodes, UserError } from '../core/errors.ts';
import { listenProblem } from '../core/listen-problem.ts';
import { onShutdown, stopOnceStarted } from '../ops/shutdown.ts';
import { systemDeps } from '../receiver/system-deps.ts';
import { messageJson, messageText } from '../smtp/sink/message-text.ts';
import { type Sink, type SinkMessage, startSink } from '../smtp/sink/sink.ts';

export interface RunFakeSmtpdAsk {
  readonly port: number;
  readonly host: string;
  readonly lmtp: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

const STOP_DEADLINE_MS = 10_000;

/** Resolves when the sink is up; signals do the rest. Throws `UserError` when it cannot listen. */
export async function runFakeSmtpd(ask: RunFakeSmtpdAsk): Promise<void> {
  const { port, host, lmtp, json, quiet } = ask;
  const onMessage = (message: SinkMessage): void => {
    if (!quiet) process.stdout.write(json ? `${messageJson(message)}\n` : messageText(message));
  };
  const starting = listen(ask, () => startSink({ port, host, lmtp, onMessage, keep: 0 }));
  const { clock, log } = systemDeps();
  onShutdown(
    stopOnceStarted(starting, (sink) => sink.close()),
    { clock, log, deadlineMs: STOP_DEADLINE_MS },
  );
  const sink = await starting;
  process.stderr.write(`taking ${lmtp ? 'LMTP' : 'SMTP'} at ${sink.host} port ${sink.port}\n`);
}

async function listen({ host, port }: RunFakeSmtpdAsk, start: () => Promise<Sink>): Promise<Sink> {
  try {
    return await start();
  } catch (error) {
    throw new UserError(listenProblem(host, port, error), exitCodes.unavailable);
  }
}
