/** A 25 MB attachment on every way through: byte for byte what was sent, and in memory only in pieces. */
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { Journey, shapes } from '../helpers/journey.ts';
import { sendSmtp } from '../helpers/journey-mail.ts';
import type { KoukanProcess } from '../helpers/process.ts';

const ATTACHMENT_BYTES = 25 * 1024 * 1024;
/** Less than five copies of the encoded message would take. */
const GROWTH_BYTES_MAX = 150 * 1024 * 1024;

const attachment = randomBytes(ATTACHMENT_BYTES);
const encoded = `${attachment.toString('base64').replace(/.{76}/g, '$&\r\n')}\r\n`;
const message = Buffer.from(
  `From: alice@example.com\r\nSubject: large\r\nContent-Transfer-Encoding: base64\r\n\r\n${encoded}`,
);

describe('a message of 25 MB', () => {
  it.for(shapes)('arrives byte for byte, and nobody holds it whole: %s', async (shape, context) => {
    const { expect } = context;
    let isRefusing = false;
    const journey = await Journey.open(context, {
      far: (stage) => (isRefusing && stage === 'rcpt' ? reply(450, '4.2.0', 'not now') : undefined),
    });
    const { processes } = await journey.start(shape);
    const memory = new Memory(processes);

    // From an application, as a file of a message that is built here.
    await writeFile(path.join(journey.folder, 'attachment.bin'), attachment);
    await writeFile(path.join(journey.folder, 'message.json'), JSON.stringify(builder));
    const from = ['--mail-from', 'alice@example.com', '--message-builder', 'message.json'];
    const send = journey.run('send', '--url', journey.routerUrl, '--sender', 'app', ...from, 'app@far.example');
    expect(await send.exited).toEqual({ code: 0, signal: null });
    expect(attachmentOf(journey.sink.messages[0]?.body).equals(attachment)).toBe(true);
    memory.note('from an application');

    // Straight through.
    const { mx, msa } = journey.ports;
    expect((await sendSmtp(context, { port: mx, rcpts: ['mx@far.example'], message })).data).toMatch(/^250 /);
    expect(endOf(journey.sink.messages[1]?.body).equals(message)).toBe(true);
    memory.note('straight through');

    // Stored, and delivered later.
    isRefusing = true;
    const stored = await sendSmtp(context, { port: msa, rcpts: ['msa@far.example'], message });
    expect(stored.data).toBe('250 2.6.0 DATA ok (store&forward)');
    memory.note('stored');
    isRefusing = false;
    await journey.sink.received(3);
    expect(endOf(journey.sink.messages[2]?.body).equals(message)).toBe(true);
    memory.note('delivered later');
    expect(memory.excesses).toEqual([]);
  });
});

const builder = {
  headers: [
    ['From', [{ address: 'alice@example.com' }]],
    ['Subject', 'large'],
  ],
  text_body: [{ content_type: 'text/plain', content: { inline: 'see attachment\n' } }],
  file_attachments: [{ content_type: 'application/octet-stream', content: { file: 'attachment.bin' } }],
};

/** What follows the trace header. */
function endOf(body: Buffer | undefined): Buffer {
  return body?.subarray(-message.length) ?? Buffer.alloc(0);
}

/** The largest part of a multipart message, decoded. */
function attachmentOf(body: Buffer | undefined): Buffer {
  const parts = (body ?? Buffer.alloc(0)).toString('latin1').split(/^--[^\r\n]*\r\n/m);
  const part = parts.reduce((one, other) => (other.length > one.length ? other : one));
  return Buffer.from(part.slice(part.indexOf('\r\n\r\n')), 'base64');
}

/** How far the memory of processes has grown beyond what they have at rest; only Linux says. */
class Memory {
  readonly excesses: string[] = [];
  readonly #atRest = new Map<KoukanProcess, number>();

  constructor(processes: readonly KoukanProcess[]) {
    if (process.platform !== 'linux') return;
    for (const each of processes) this.#atRest.set(each, each.memory().nowBytes);
  }

  note(when: string): void {
    for (const [each, bytes] of this.#atRest) {
      const growth = each.memory().peakBytes - bytes;
      if (growth > GROWTH_BYTES_MAX) this.excesses.push(`${each.name}, ${when}: ${Math.round(growth / 1e6)} MB`);
    }
  }
}
