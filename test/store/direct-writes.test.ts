import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AlignedMemory } from '../../src/lib/store/aligned-memory.ts';
import { DirectWrites } from '../../src/lib/store/direct-writes.ts';

describe('a file that is written past the cache', () => {
  let folder = '';
  const direct = new DirectWrites();
  const MIB = 1024 * 1024;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'koukan-direct-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** The file as it is read, or nothing where the file system of the test has no such writes. */
  async function written(name: string, pieces: readonly Buffer[]): Promise<Buffer | undefined> {
    const file = path.join(folder, name);
    return (await direct.write(file, pieces)) ? readFile(file) : undefined;
  }

  const patterned = (bytes: number, seed: number): Buffer =>
    Buffer.from(Array.from({ length: bytes }, (_, i) => (i * 7 + seed) % 251));

  it.each([1, 4095, 4096, 4097, 65_536, MIB - 1, MIB, MIB + 1, 2 * MIB + 5000])(
    'has its %i bytes and no others',
    async (bytes) => {
      const content = patterned(bytes, bytes);
      const file = await written('sizes', [content]);
      if (file !== undefined) expect(file.equals(content)).toBe(true);
      expect(file !== undefined || !direct.isHere).toBe(true);
    },
  );

  it('is the pieces in their order, whatever their lengths, also when many are written at once', async () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 150_000 }), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(lengths, { minLength: 1, maxLength: 7 }), async (bodies) => {
        const all = bodies.map((each, n) => each.map((bytes, i) => patterned(bytes, n * 31 + i)));
        const files = await Promise.all(all.map((pieces, n) => written(`many-${n}`, pieces)));
        files.forEach((file, n) => {
          if (file !== undefined) expect(file.equals(Buffer.concat(all[n] as Buffer[]))).toBe(true);
        });
      }),
      { numRuns: 25 },
    );
  });

  it('does not keep what a longer file of its name had', async () => {
    await writeFile(path.join(folder, 'again'), Buffer.alloc(50_000, 1));
    const file = await written('again', [Buffer.from('short')]);
    if (file !== undefined) expect(file.toString()).toBe('short');
  });

  it('is refused as the system refuses it, and the memory for it serves the next', async () => {
    for (let i = 0; i < 10; i += 1) {
      const refused = await direct
        .write(path.join(folder, 'nowhere', 'x'), [Buffer.from('x')])
        .catch((error) => error.code);
      expect([false, 'ENOENT']).toContain(refused);
    }
    const file = await written('after', [Buffer.from('here')]);
    if (file !== undefined) expect(file.toString()).toBe('here');
  });

  it('is left to the cache by a file system that has no such writes', async () => {
    // As a device has not.
    const other = new DirectWrites();
    expect(await other.write('/dev/null', [Buffer.from('x')])).toBe(false);
    expect(other.isHere).toBe(false);
  });

  it('lies in memory that is not shared: each piece is taken by one at a time, in turn', async () => {
    const memory = new AlignedMemory(2, 65_536);
    const [first, second] = [await memory.take(), await memory.take()];
    expect(first.byteOffset).not.toBe(second.byteOffset);
    const [third, fourth] = [memory.take(), memory.take()];
    memory.give(second);
    expect(await third).toBe(second);
    memory.give(first);
    expect(await fourth).toBe(first);
  });
});
