/** Ways to hand in a message in a journey, reply by reply: as an SMTP client, and as an application over REST. */
import type { TestContext } from 'vitest';
import { SmtpClient } from './dialog.ts';

export interface SmtpAsk {
  readonly port: number;
  readonly rcpts: readonly string[];
  readonly from?: string;
  /** Lines end in CRLF; dots are stuffed here. */
  readonly message?: string | Buffer;
}

/** The first line of each reply; a step that was not reached is absent. */
export interface SmtpReplies {
  readonly mail?: string;
  readonly rcpts?: readonly string[];
  readonly data?: string;
}

export const MESSAGE = 'Subject: hello\r\n\r\nhello, world!\r\n';

/** A client that has said EHLO; its connection ends with the test. */
export async function smtpClient(context: TestContext, port: number): Promise<SmtpClient> {
  const client = await SmtpClient.connect(port);
  context.onTestFinished(() => client.destroy());
  await client.reply();
  await client.command('EHLO client.example');
  return client;
}

/** Sends one message as a patient client does, command by command, and leaves without a word. */
export async function sendSmtp(context: TestContext, ask: SmtpAsk): Promise<SmtpReplies> {
  const client = await smtpClient(context, ask.port);
  try {
    return await sendOn(client, ask);
  } finally {
    client.destroy();
  }
}

async function sendOn(client: SmtpClient, ask: SmtpAsk): Promise<SmtpReplies> {
  const command = async (line: string): Promise<string> => (await client.command(line))[0] as string;
  const mail = await command(`MAIL FROM:<${ask.from ?? 'alice@example.com'}>`);
  if (!mail.startsWith('2')) return { mail };
  const rcpts: string[] = [];
  for (const rcpt of ask.rcpts) rcpts.push(await command(`RCPT TO:<${rcpt}>`));
  if (!rcpts.some((reply) => reply.startsWith('2'))) return { mail, rcpts };
  const go = await command('DATA');
  if (!go.startsWith('3')) return { mail, rcpts, data: go };
  return { mail, rcpts, data: await sendContent(client, ask.message ?? MESSAGE) };
}

/** After a 354: the message and the final dot. */
export async function sendContent(client: SmtpClient, message: string | Buffer): Promise<string> {
  const text = typeof message === 'string' ? message : message.toString('latin1');
  await client.send(Buffer.from(text.replace(/^\./gm, '..'), 'latin1'));
  await client.send('.\r\n');
  return (await client.reply())[0] as string;
}

export interface RestAsk {
  readonly url: string;
  readonly rcpt: string;
  readonly sender?: string;
  readonly from?: string;
  /** Absent: the message follows by PUT. */
  readonly message?: string;
}

export interface Created {
  readonly status: number;
  readonly location: string;
}

/** Creates a transaction of an application. */
export async function createRest(ask: RestAsk): Promise<Created> {
  const { url, rcpt, sender = 'app', from = 'alice@example.com', message } = ask;
  const response = await fetch(`${url}/senders/${sender}/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      mail_from: { m: from },
      rcpt_to: [{ m: rcpt }],
      ...(message !== undefined && { body: { inline: message } }),
    }),
  });
  await response.arrayBuffer();
  return { status: response.status, location: response.headers.get('location') ?? '' };
}

/** What an application reads of its transaction; asks again until it has ended. */
export async function restOutcome(location: string): Promise<Readonly<Record<string, unknown>>> {
  let etag: string | undefined;
  for (;;) {
    const headers = etag === undefined ? {} : { 'if-none-match': etag, 'request-timeout': '30' };
    const response = await fetch(location, { headers });
    const text = await response.text();
    if (response.status !== 304) {
      const view = JSON.parse(text) as Record<string, unknown>;
      if (response.status !== 200 || view.final_attempt_reason !== undefined) return view;
    }
    etag = response.headers.get('etag') ?? undefined;
  }
}
