/**
 * Writes what goes with a received message: the parsed JSON, and last the envelope. `<id>.tx.json` appears when everything else is on the
 * disk, so it is the file to watch for.
 */
import { open, rename } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Clock } from '../core/deps.ts';
import { type Response, responseLines } from '../core/response.ts';
import type { TxState } from '../core/transaction.ts';
import { envelopeFile, parsedFile } from './file-names.ts';
import type { Json } from './received-envelope.ts';
import type { ReceivedMessage } from './received-message.ts';

export async function storeMessage(
  { dir, clock }: { readonly dir: string; readonly clock: Clock },
  message: ReceivedMessage,
  envelope: Json,
  state: TxState,
  response: Response,
): Promise<void> {
  const { id } = message;
  if (message.parsed !== undefined) await writeDurably(dir, parsedFile(id), message.parsed);
  await writeDurably(dir, envelopeFile(id), {
    id,
    received_at: new Date(clock.now()).toISOString(),
    ...envelope,
    // A PATCH holds only what it adds; these are the whole lists.
    mail_from: state.mailFrom && mailboxJson(state.mailFrom),
    rcpt_to: state.rcptTo.map(mailboxJson),
    rcpt_to_list_offset: undefined,
    body: undefined,
    filter_output: state.filterOutput,
    mail_response: state.replies.mail && responseJson(state.replies.mail),
    rcpt_response: state.replies.rcpt.map((each) => each && responseJson(each)),
    data_response: responseJson(response),
    files: {
      message: basename(message.file),
      ...(message.parsed !== undefined && { parsed: parsedFile(id) }),
      parts: Object.fromEntries(Object.entries(message.parts).map(([name, path]) => [name, basename(path)])),
    },
  });
  await syncDirectory(dir);
}

async function writeDurably(dir: string, name: string, json: unknown): Promise<void> {
  const part = join(dir, `${name}.part`);
  const file = await open(part, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(json, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(part, join(dir, name));
}

/** A rename is durable once the directory is. */
async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function mailboxJson({ address, params }: NonNullable<TxState['mailFrom']>): Json {
  const e = params.map(({ keyword, value }) => (value === undefined ? { k: keyword } : { k: keyword, p: value }));
  return e.length === 0 ? { m: address } : { m: address, e };
}

function responseJson(response: Response): Json {
  return { code: response.code, message: responseLines(response).join('\n') };
}
