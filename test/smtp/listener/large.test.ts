/** Large messages: what a client can make us hold in memory does not grow with what it sends. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { SmtpClient } from '../../helpers/dialog.ts';
import { fakeHop } from '../../helpers/fake-hop.ts';
import { smtpService } from '../../helpers/smtp-service.ts';

const MB = 1024 * 1024;

describe('a message of 50 MB', () => {
  it.each(['DATA', 'BDAT'])('by %s arrives octet for octet and is held in a file', async (verb) => {
    const block = Buffer.from('The quick brown fox jumps over the lazy dog, again and again.\r\n'.repeat(1000));
    const blocks = Math.ceil((50 * MB) / block.length);
    const sent = createHash('sha256');
    const got = createHash('sha256');
    let peak = 0;
    const hop = fakeHop({
      keepsBodies: false,
      data: async (body) => {
        expect(body.inMemory).toBeUndefined();
        for await (const chunk of body.chunks()) {
          got.update(chunk);
          peak = Math.max(peak, chunk.length);
        }
        return undefined as never;
      },
    });
    await using service = await smtpService({ hop });
    const client = await SmtpClient.connect(service.port);
    await client.reply();
    await client.command('HELO c');
    await client.command('MAIL FROM:<a@b.example>');
    await client.command('RCPT TO:<c@d.example>');
    if (verb === 'DATA') await client.command('DATA');
    else await client.send(`BDAT ${blocks * block.length} LAST\r\n`);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < blocks; i += 1) {
      sent.update(block);
      await client.send(block);
    }
    if (verb === 'DATA') await client.send('.\r\n');
    expect(await client.reply()).toEqual(['250 2.0.0 message ok']);
    expect(service.hop.delivered[0]?.sizeBytes).toBe(blocks * block.length);
    expect(got.digest('hex')).toBe(sent.digest('hex'));
    expect(peak).toBeLessThanOrEqual(256 * 1024);
    // Nowhere near ten times the message, which is what growing buffers or strings cost; the rest is the collector's leisure.
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * MB);
    client.destroy();
  });
});
