/** What `koukan send` does: read the message, hand it over, wait, and print what became of it for each recipient. */
import { UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import { parseAddress } from '../../core/mailbox.ts';
import { responseLines } from '../../core/response.ts';
import { systemClock } from '../../ops/clock.ts';
import { systemRng } from '../../ops/rng.ts';
import { readInput } from '../input-file.ts';
import { RestSender } from '../rest-sender.ts';
import { readTokenTrust } from '../token-trust.ts';
import { verdictText, worstExitCode } from '../verdict.ts';
import { readBuilderFile } from './builder-file.ts';
import { completeMessage } from './message-text.ts';
import { type SendResult, sendMessage } from './send-message.ts';
import type { Submission } from './submission.ts';

export interface RunSendAsk {
  readonly url: string;
  readonly sender: string;
  readonly tag?: string;
  readonly mailFrom: string;
  /** A bearer token, or the file it lies in. */
  readonly token?: string;
  readonly tokenFile?: string;
  readonly messageBuilder?: string;
  readonly rfc822?: string;
  readonly waitSeconds: number;
  readonly json: boolean;
  readonly recipients: readonly string[];
}

/** Answers the exit status. Throws `UserError` for what is wrong before anything is sent. */
export async function runSend(ask: RunSendAsk): Promise<number> {
  const url = readUrl(ask.url);
  const mailFrom = readAddress(ask.mailFrom, true);
  const recipients = [...new Set(ask.recipients.map((address) => readAddress(address, false)))];
  if (recipients.length > limits.rcptsPerTransaction) {
    throw new UserError(`more than ${limits.rcptsPerTransaction} recipients`);
  }
  const trust = readTokenTrust(url, ask);
  const submission = await readSubmission(ask, mailFrom);
  const http = new RestSender();
  try {
    const { sender, tag, waitSeconds } = ask;
    const send = { url, sender, ...(tag !== undefined && { tag }), mailFrom, recipients, submission };
    const results = await sendMessage({ http, clock: systemClock, trust }, { ...send, waitMs: waitSeconds * 1000 });
    const exitCode = worstExitCode(results.map((result) => result.exitCode));
    if (ask.json) process.stdout.write(`${JSON.stringify(toJson(results, exitCode), null, 2)}\n`);
    else printText(results);
    return exitCode;
  } finally {
    await http.close();
  }
}

async function readSubmission(ask: RunSendAsk, mailFrom: string): Promise<Submission> {
  const deps = { clock: systemClock, rng: systemRng };
  if (ask.messageBuilder !== undefined) return readBuilderFile(ask.messageBuilder, mailFrom, deps);
  if (ask.rfc822 !== undefined) return completeMessage(await readInput(ask.rfc822), mailFrom, deps);
  throw new UserError('nothing to send: give --message-builder FILE or --rfc822 FILE');
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw new UserError(`--url must be like http://127.0.0.1:8000, not ${text}`);
}

function readAddress(text: string, mayBeNull: boolean): string {
  const address = text.trim().replace(/^<(.*)>$/, '$1');
  if (address === '' && mayBeNull) return address;
  if (parseAddress(address) === undefined) throw new UserError(`not an address: ${text}`);
  return address;
}

function printText(results: readonly SendResult[]): void {
  for (const result of results) {
    const line = `${result.recipient}: ${verdictText(result)}`;
    // An outcome is data; that nothing could be sent at all is not.
    if (result.state === 'error') process.stderr.write(`${line}\n`);
    else process.stdout.write(`${line}\n`);
    if (isOpen(result)) process.stdout.write(`  ${result.transaction}\n`);
  }
}

/** Where to look for the rest of the story. */
function isOpen({ state, transaction }: SendResult): boolean {
  return transaction !== undefined && (state === 'unknown' || state === 'deferred' || state === 'submitted');
}

function toJson(results: readonly SendResult[], exitCode: number): object {
  const recipients = results.map(({ recipient, state, response, reason, transaction, exitCode: status }) => ({
    recipient,
    state,
    ...(response && { response: { code: response.code, message: responseLines(response).join('\n') } }),
    ...(reason !== undefined && { reason }),
    ...(transaction !== undefined && { transaction }),
    exit_code: status,
  }));
  return { exit_code: exitCode, recipients };
}
