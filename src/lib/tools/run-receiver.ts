/** What `koukan receive` does: start a receiver, print one line for each message, and stay until a signal. */
import { onShutdown, stopOnceStarted } from '../ops/shutdown.ts';
import type { ReceivedMessage } from '../receiver/received-message.ts';
import { createReceiver } from '../receiver/receiver.ts';
import { systemDeps } from '../receiver/system-deps.ts';

export interface RunReceiverAsk {
  readonly dir: string;
  readonly port: number;
  readonly host: string;
  readonly json: boolean;
}

const STOP_DEADLINE_MS = 10_000;

/** Resolves when the receiver is up; signals do the rest. Throws `UserError` for anything a user can mend. */
export async function runReceiver({ dir, port, host, json }: RunReceiverAsk): Promise<void> {
  const deps = systemDeps();
  const onMessage = (message: ReceivedMessage): void => {
    process.stdout.write(`${json ? JSON.stringify(lineOf(message)) : textOf(message)}\n`);
  };
  const starting = createReceiver({ dir, port, host, onMessage }, deps);
  onShutdown(
    stopOnceStarted(starting, (receiver, deadline) => receiver.close(deadline)),
    { clock: deps.clock, log: deps.log, deadlineMs: STOP_DEADLINE_MS },
  );
  process.stderr.write(`receiving at ${(await starting).url}, storing in ${dir}\n`);
}

function lineOf(message: ReceivedMessage): object {
  return {
    id: message.id,
    mail_from: message.mailFrom ?? '',
    rcpt_to: message.rcptTo,
    size: message.sizeBytes,
    file: message.file,
    ...(message.parsedFile !== undefined && { parsed_file: message.parsedFile }),
    parts: message.parts,
  };
}

function textOf(message: ReceivedMessage): string {
  const from = message.mailFrom === '' ? '<>' : message.mailFrom;
  const parts = Object.keys(message.parts).length;
  const parsed =
    message.parsedFile === undefined ? '' : `, parsed, ${parts} ${parts === 1 ? 'part' : 'parts'} beside it`;
  return oneLine(`${from} -> ${message.rcptTo.join(', ')}: ${message.sizeBytes} bytes in ${message.file}${parsed}`);
}

function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, '?');
}
