/** What `koukan ssmtp` does: open connections, send the message as often as asked, print the replies, answer the exit status. */
import { readFile } from 'node:fs/promises';
import { isIP, isIPv6 } from 'node:net';
import { exitCodes, UserError } from '../../core/errors.ts';
import { formatResponse, type Response, responseLines } from '../../core/response.ts';
import { systemClock } from '../../ops/clock.ts';
import { systemRng } from '../../ops/rng.ts';
import { SmtpConnection } from '../../smtp/client/connection.ts';
import type { Trace } from '../../smtp/client/dialogue.ts';
import { openConnection } from '../../smtp/client/open-connection.ts';
import type { ClientProfile, TlsUse } from '../../smtp/client/profile.ts';
import { readInput } from '../input-file.ts';
import { worstExitCode } from '../verdict.ts';
import { textMessage } from './smtp-message.ts';
import { exitCodeOf, type SmtpMessage, type SmtpResult, submit, verdicts } from './smtp-submit.ts';
import { SmtpTally } from './smtp-tally.ts';

export interface RunSsmtpAsk {
  readonly host: string;
  readonly port: number;
  readonly ehlo: string;
  readonly mailFrom: string;
  readonly rcptTo: readonly string[];
  readonly headers: readonly string[];
  /** A complete message: a file, or `-`. Without it, standard input is the text of one. */
  readonly data?: string;
  readonly lmtp: boolean;
  readonly tls: 'auto' | 'off' | 'starttls' | 'implicit';
  readonly tlsVerify: boolean;
  readonly user?: string;
  readonly passwordFile?: string;
  /** `address:port` of the client that a PROXY header names. */
  readonly proxy?: string;
  readonly timeoutSeconds: number;
  /** Messages on each connection, and connections at the same time. */
  readonly iters: number;
  readonly concurrency: number;
  readonly json: boolean;
  readonly verbose: boolean;
}

const TLS: Readonly<Record<RunSsmtpAsk['tls'], TlsUse>> = {
  auto: 'opportunistic',
  off: 'off',
  starttls: 'required',
  implicit: 'implicit',
};

/** Answers the exit status. Throws `UserError` for what is wrong before anything is sent. */
export async function runSsmtp(ask: RunSsmtpAsk): Promise<number> {
  if (ask.rcptTo.length === 0) throw new UserError('no recipients: name them as arguments, or with --to');
  const profile = await profileOf(ask);
  const { mailFrom, rcptTo } = ask;
  const bytes = await readMessage(ask);
  const startedAt = systemClock.now();
  const tally = new SmtpTally();
  const message = { mailFrom, rcptTo, bytes };
  await Promise.all(Array.from({ length: ask.concurrency }, () => work(ask, profile, message, tally)));
  if (!ask.json && !isSingle(ask)) process.stdout.write(tally.summary(systemClock.now() - startedAt));
  return tally.exitCode;
}

/** One connection, for as long as it lasts; then another. */
async function work(ask: RunSsmtpAsk, profile: ClientProfile, message: SmtpMessage, tally: SmtpTally): Promise<void> {
  let connection: SmtpConnection | Response | undefined;
  for (let i = 0; i < ask.iters; i += 1) {
    if (!(connection instanceof SmtpConnection) || !(connection.isClean || (await connection.reset())))
      connection = await openConnection({ host: ask.host, port: ask.port, profile }, systemClock);
    const result =
      connection instanceof SmtpConnection ? await submit(connection, message) : { connect: connection, rcpts: [] };
    tally.add(result);
    if (ask.json) process.stdout.write(`${JSON.stringify(toJson(result))}\n`);
    else if (isSingle(ask)) printResult(result);
  }
  if (connection instanceof SmtpConnection) await connection.quit();
}

const isSingle = ({ iters, concurrency }: RunSsmtpAsk): boolean => iters * concurrency === 1;

async function profileOf(ask: RunSsmtpAsk): Promise<ClientProfile> {
  const credentials = await readCredentials(ask);
  return {
    name: 'ssmtp',
    protocol: ask.lmtp ? 'lmtp' : 'smtp',
    ehloHost: ask.ehlo,
    timeoutMs: ask.timeoutSeconds * 1000,
    // Whoever wants the certificate verified wants TLS.
    tls: ask.tlsVerify && ask.tls === 'auto' ? TLS.starttls : TLS[ask.tls],
    verify: ask.tlsVerify,
    ...(credentials && { credentials }),
    ...(ask.proxy !== undefined && { preamble: proxyHeader(ask.proxy) }),
    ...(ask.verbose && { trace: toStderr }),
  };
}

async function readCredentials(ask: RunSsmtpAsk): Promise<ClientProfile['credentials']> {
  const { user, passwordFile, host, tls } = ask;
  if (user === undefined && passwordFile === undefined) return undefined;
  if (user === undefined || passwordFile === undefined) throw new UserError('--user and --password-file go together');
  // With `auto` whoever sits in between may take STARTTLS out of the answer.
  const isLocal = host === 'localhost' || host === '::1' || host.startsWith('127.');
  if (!isLocal && (tls === 'auto' || tls === 'off'))
    throw new UserError(`a password goes to another machine only under TLS: add --tls starttls or --tls implicit`);
  try {
    return { user, password: (await readFile(passwordFile, 'utf8')).replace(/\r?\n$/, '') };
  } catch (error) {
    throw new UserError(`cannot read ${passwordFile}: ${(error as NodeJS.ErrnoException).code}`, exitCodes.noInput);
  }
}

/** PROXY protocol version 1; the destination in it is made up. */
function proxyHeader(source: string): string {
  const colon = source.lastIndexOf(':');
  const [address, port] = [source.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), source.slice(colon + 1)];
  if (isIP(address) === 0 || !/^\d{1,5}$/.test(port))
    throw new UserError(`--proxy must be like 203.0.113.4:1234 or [2001:db8::1]:1234, not ${source}`);
  return isIPv6(address) ? `PROXY TCP6 ${address} ::1 ${port} 25` : `PROXY TCP4 ${address} 127.0.0.1 ${port} 25`;
}

async function readMessage(ask: RunSsmtpAsk): Promise<Buffer> {
  // swaks writes files as @name.
  if (ask.data !== undefined) return readInput(ask.data.replace(/^@/, ''));
  const { mailFrom, rcptTo, headers } = ask;
  return textMessage({ mailFrom, rcptTo, headers, text: await readInput('-') }, { clock: systemClock, rng: systemRng });
}

const toStderr: Trace = (direction, text) => {
  const glyph = { '>': ' -> ', '<': '<-  ', '=': '=== ' }[direction];
  process.stderr.write(`${glyph}${text}\n`);
};

function printResult({ connect, mail, rcpts }: SmtpResult): void {
  const lines = [
    ...(connect === undefined ? [] : [`connect: ${formatResponse(connect)}`]),
    ...(mail === undefined ? [] : [`MAIL: ${formatResponse(mail)}`]),
    ...rcpts.map(({ address, rcpt }) => `RCPT ${address}: ${formatResponse(rcpt)}`),
    ...finalLines({ rcpts }),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** One line when all have the same answer, as always in SMTP. */
function finalLines({ rcpts }: SmtpResult): string[] {
  const answered = rcpts.flatMap(({ address, data }) => (data === undefined ? [] : [{ address, data }]));
  const texts = new Set(answered.map(({ data }) => formatResponse(data)));
  if (texts.size === 1) return [`DATA: ${[...texts][0]}`];
  return answered.map(({ address, data }) => `DATA ${address}: ${formatResponse(data)}`);
}

function toJson(result: SmtpResult): object {
  const wire = (response: Response): object => ({
    code: response.code,
    message: responseLines(response).join('\n'),
  });
  return {
    exit_code: worstExitCode(verdicts(result).map(exitCodeOf)),
    ...(result.connect && { connect_response: wire(result.connect) }),
    ...(result.mail && { mail_response: wire(result.mail) }),
    recipients: result.rcpts.map(({ address, rcpt, data }) => ({
      recipient: address,
      rcpt_response: wire(rcpt),
      ...(data && { data_response: wire(data) }),
    })),
  };
}
