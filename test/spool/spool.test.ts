import { mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bodyBytes, bytesFrom } from '../../src/lib/core/body.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { BodyTooLargeError } from '../../src/lib/spool/spool-writer.ts';
import { fakeDeps, memoryLog } from '../helpers/fake-deps.ts';

let directory: string;
let spool: Spool;
const log = memoryLog();

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'koukan-spool-test-'));
  spool = new Spool(join(directory, 'deep/spool'), fakeDeps({ log }));
  await spool.prepare();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** A body of these bytes that had to go to a file. */
async function spooled(bytes: Buffer) {
  const writer = spool.writer({ maxBytes: bytes.length, inMemoryBytes: 1 });
  await writer.append(bytes);
  return { writer, body: await writer.finish() };
}

describe('a spool', () => {
  it('gives back what was appended, from memory or from a file, as often as it is read', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 2000 }), async (parts, inMemoryBytes) => {
        const writer = spool.writer({ maxBytes: 10_000, inMemoryBytes });
        for (const part of parts) await writer.append(Buffer.from(part));
        const whole = Buffer.concat(parts);
        expect(writer.size).toBe(whole.length);
        const body = await writer.finish();
        expect(body.size).toBe(whole.length);
        expect(body.inMemory !== undefined).toBe(whole.length <= inMemoryBytes);
        expect([await bodyBytes(body), await bodyBytes(body)]).toEqual([whole, whole]);
        writer.discard();
      }),
      { numRuns: 50 },
    );
  });

  it('is not disturbed when a chunk is reused by its owner', async () => {
    const writer = spool.writer({ maxBytes: 100 });
    const chunk = Buffer.from('first');
    await writer.append(chunk);
    chunk.fill('x');
    expect((await bodyBytes(await writer.finish())).toString()).toBe('first');
  });

  it('is read from any byte on', async () => {
    const bytes = Buffer.from(Array.from({ length: 600_000 }, (_, i) => i % 251));
    const { writer, body } = await spooled(bytes);
    for (const offset of [0, 1, 262_144, 599_999, 600_000]) {
      const read: Buffer[] = [];
      for await (const chunk of body.chunksFrom?.(offset) ?? []) read.push(chunk);
      expect(Buffer.concat(read).equals(bytes.subarray(offset))).toBe(true);
    }
    writer.discard();
  });

  it('lets several readers run at once', async () => {
    const bytes = Buffer.alloc(1_000_000, 'abcdefg');
    const { writer, body } = await spooled(bytes);
    const read = await Promise.all([bodyBytes(body), bodyBytes(body), bodyBytes(body)]);
    expect(read.every((copy) => copy.equals(bytes))).toBe(true);
    writer.discard();
  });

  it('has no file that anyone else could open, and leaves none behind', async () => {
    const { writer } = await spooled(Buffer.from('secret'));
    expect(await readdir(spool.directory)).toEqual([]);
    writer.discard();
  });

  it('keeps the bytes as long as somebody holds them, and not longer', async () => {
    const { writer, body } = await spooled(Buffer.from('kept'));
    const release = body.retain();
    writer.discard();
    writer.discard();
    expect((await bodyBytes(body)).toString()).toBe('kept');
    release();
    release();
    await expect(bodyBytes(body)).rejects.toThrow(/holds it/);
    expect(() => body.retain()).toThrow(/holds it/);
  });

  it('lets a reader finish that began before the last reference went', async () => {
    const { writer, body } = await spooled(Buffer.alloc(600_000, 'x'));
    let size = 0;
    for await (const chunk of body.chunks()) {
      writer.discard();
      size += chunk.length;
    }
    expect(size).toBe(600_000);
  });

  it('refuses what is over its limit and can be discarded then', async () => {
    const writer = spool.writer({ maxBytes: 10, inMemoryBytes: 4 });
    await writer.append(Buffer.from('12345678'));
    await expect(writer.append(Buffer.from('901'))).rejects.toThrow(BodyTooLargeError);
    expect(writer.size).toBe(8);
    writer.discard();
    await expect(writer.append(Buffer.from('x'))).rejects.toThrow(/before the body is finished/);
  });

  it('tells when it cannot write', async () => {
    const writer = spool.writer({ maxBytes: 100, inMemoryBytes: 1 });
    await rm(spool.directory, { recursive: true });
    await writer.append(Buffer.from('a'));
    await expect(writer.append(Buffer.from('bc'))).rejects.toMatchObject({ code: 'ENOENT' });
    writer.discard();
  });

  it('opens no file for a message that was discarded while the file was being opened', async () => {
    const writer = spool.writer({ maxBytes: 100, inMemoryBytes: 1 });
    const appending = writer.append(Buffer.from('abc'));
    writer.discard();
    await expect(appending).rejects.toThrow(/discarded/);
    expect(log.lines).toEqual([]);
  });

  it('removes at start what a crash left, and nothing else', async () => {
    await writeFile(join(spool.directory, 'koukan-spool-deadbeef'), 'stale');
    await writeFile(join(spool.directory, 'somebody-elses'), 'precious');
    const open_ = await spooled(Buffer.from('in use'));
    await spool.prepare();
    expect(await readdir(spool.directory)).toEqual(['somebody-elses']);
    expect((await bodyBytes(open_.body)).toString()).toBe('in use');
    open_.writer.discard();
  });

  it('keeps its directory from others', async () => {
    const handle = await open(spool.directory);
    expect((await handle.stat()).mode & 0o777).toBe(0o700);
    await handle.close();
  });
});

describe('bodies in memory', () => {
  it('stay there as long as all of them together are within the bound, and go to files beyond it', async () => {
    const small = new Spool(join(directory, 'small'), fakeDeps({ log }), 1_000_000);
    await small.prepare();
    const block = (): Buffer => Buffer.alloc(300_000, 'x');
    const take = async (blocks: number) => {
      const writer = small.writer({ maxBytes: 10_000_000 });
      for (let i = 0; i < blocks; i += 1) await writer.append(block());
      return { writer, body: await writer.finish() };
    };
    const first = await take(2);
    expect([small.inMemoryBytes, small.sizeBytes]).toEqual([600_000, 0]);
    const second = await take(3);
    expect([small.inMemoryBytes, small.sizeBytes]).toEqual([600_000, 900_000]);
    expect((await bodyBytes(second.body)).equals(Buffer.alloc(900_000, 'x'))).toBe(true);
    const release = first.body.retain();
    first.writer.discard();
    expect(small.inMemoryBytes).toBe(600_000);
    release();
    release();
    second.writer.discard();
    expect([small.inMemoryBytes, small.sizeBytes]).toEqual([0, 0]);
    const third = await take(3);
    expect([small.inMemoryBytes, small.sizeBytes]).toEqual([900_000, 0]);
    third.writer.discard();
    third.writer.discard();
    expect(small.inMemoryBytes).toBe(0);
  });

  it('give back what they had when they are discarded before their end', async () => {
    const writer = spool.writer({ maxBytes: 10_000_000 });
    await writer.append(Buffer.alloc(500_000));
    expect(spool.inMemoryBytes).toBe(500_000);
    writer.discard();
    expect(spool.inMemoryBytes).toBe(0);
  });

  it('give back the same bytes from any offset, however they came', async () => {
    const sizes = fc.array(fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 70_000 })), {
      maxLength: 30,
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.nat(), async (lengths, seed) => {
        const writer = spool.writer({ maxBytes: 10_000_000 });
        const parts = lengths.map((length, i) => Buffer.alloc(length, `${i} ${seed} `));
        for (const part of parts) await writer.append(part);
        const whole = Buffer.concat(parts);
        const body = await writer.finish();
        const offset = whole.length === 0 ? 0 : seed % whole.length;
        const read: Buffer[] = [];
        for await (const chunk of bytesFrom(body, offset)) read.push(chunk);
        expect(Buffer.concat(read).equals(whole.subarray(offset))).toBe(true);
        expect(Math.max(0, ...read.map(({ length }) => length))).toBeLessThanOrEqual(256 * 1024);
        writer.discard();
        expect(spool.inMemoryBytes).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});
