import { createHash } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Body, bodyBytes } from '../../src/lib/core/body.ts';
import { BODY_BLOB, type Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const MEBIBYTE = 1024 * 1024;
const ENDED = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;

/** `sizeBytes` made up as they are read; `onChunk` is called with each chunk. */
function madeUpBody(sizeBytes: number, chunkBytes: number, onChunk: () => void = () => undefined): Body {
  return {
    size: sizeBytes,
    async *chunks() {
      for (let at = 0; at < sizeBytes; at += chunkBytes) {
        onChunk();
        yield Buffer.alloc(Math.min(chunkBytes, sizeBytes - at), at % 251);
      }
    },
    retain: () => () => undefined,
  };
}

function pieces(bytes: Buffer, chunkBytes: number): Body {
  return {
    size: bytes.length,
    async *chunks() {
      for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
    },
    retain: () => () => undefined,
  };
}

async function digest(body: Body, onChunk: () => void = () => undefined): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body.chunks()) {
    onChunk();
    hash.update(chunk);
  }
  return hash.digest('hex');
}

describe.each(databases)('large bodies on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;

  beforeEach(async () => {
    database = await kind.create();
    store = await openTestStore(database);
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  it('streams 60 MB in and out without holding more than a few pieces', async () => {
    const size = 60 * MEBIBYTE;
    collect();
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;
    let count = 0;
    const look = (): void => {
      count += 1;
      if (count % 16 !== 0) return;
      collect();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    };
    await store.create([sampleTransaction('big', { body: madeUpBody(size, 60_000, look) })], 1000);
    const body = await store.openBlob('big', BODY_BLOB);
    expect(body?.size).toBe(size);
    expect(body && (await digest(body, look))).toBe(await digest(madeUpBody(size, 60_000)));
    // What is not collected yet counts too; the point is that it does not grow with the body.
    expect(most).toBeLessThan(40 * MEBIBYTE);
  });

  it('gives every reader a body of its own, as often as it is asked', async () => {
    const size = 3 * MEBIBYTE + 17;
    await store.create([sampleTransaction('big', { body: madeUpBody(size, MEBIBYTE * 2) })], 1000);
    const body = (await store.openBlob('big', BODY_BLOB)) as Body;
    const expected = await digest(madeUpBody(size, MEBIBYTE * 2));
    expect(await Promise.all([digest(body), digest(body)])).toEqual([expected, expected]);
  });

  it('reads a body from any byte on, without what is before it', async () => {
    const bytes = Buffer.from(
      Array.from({ length: 70_000 }, (_, i) => `${i} `)
        .join('')
        .repeat(3),
    );
    await store.create([sampleTransaction('big', { body: pieces(bytes, 100_000) })], 1000);
    const body = (await store.openBlob('big', BODY_BLOB)) as Body;
    for (const offset of [0, 1, 262_143, 262_144, 262_145, 700_000, bytes.length - 1]) {
      const read: Buffer[] = [];
      for await (const chunk of body.chunksFrom?.(offset) ?? []) read.push(chunk);
      expect(Buffer.concat(read).equals(bytes.subarray(offset)), `from ${offset}`).toBe(true);
    }
  });

  it.each([2, 4, 5, 64])('stores a body that lies in memory in %i pieces as it is', async (count) => {
    const bytes = Array.from({ length: count }, (_, i) => Buffer.alloc(700 + i, i));
    const whole = Buffer.concat(bytes);
    const unread = (): never => {
      throw new Error('nobody has to wait for what is in memory');
    };
    const body: Body = { size: whole.length, inPieces: bytes, chunks: unread, retain: () => () => undefined };
    await store.create([sampleTransaction('tx', { body })], 1000);
    const stored = await store.openBlob('tx', BODY_BLOB);
    expect(stored?.size).toBe(whole.length);
    expect(stored && (await bodyBytes(stored)).equals(whole)).toBe(true);
  });

  it('stores a large body that several transactions share once', async () => {
    const body = madeUpBody(2 * MEBIBYTE, 100_000);
    await store.create(
      ['a', 'b'].map((id) => sampleTransaction(id, { body, next: ENDED })),
      1000,
    );
    expect(await store.collectGarbage(2000, 10)).toMatchObject({ transactions: 2, blobs: 1 });
  });

  it('leaves only garbage behind when a body breaks off', async () => {
    const broken: Body = {
      ...madeUpBody(5 * MEBIBYTE, MEBIBYTE),
      async *chunks() {
        yield Buffer.alloc(2 * MEBIBYTE);
        throw new Error('the spool file is gone');
      },
    };
    await expect(store.create([sampleTransaction('tx', { body: broken })], 1000)).rejects.toThrow('spool file');
    expect(await store.load('tx')).toBeUndefined();
    expect(await store.collectGarbage(500, 10)).toMatchObject({ transactions: 0, blobs: 0 });
    expect(await store.collectGarbage(2000, 10)).toMatchObject({ transactions: 0, blobs: 1 });
  });

  it('takes a large upload in one piece', async () => {
    await store.create([sampleTransaction('up', { body: { kind: 'open' } })], 1000);
    const bytes = Buffer.alloc(5 * MEBIBYTE + 3, 'ab');
    const result = await store.append('up', BODY_BLOB, { offset: 0, bytes, total: bytes.length }, 1000);
    expect(result).toMatchObject({ kind: 'stored', inputDone: true, status: { length: bytes.length } });
    const stored = (await store.openBlob('up', BODY_BLOB)) as Body;
    expect(await digest(stored)).toBe(createHash('sha256').update(bytes).digest('hex'));
  });
});
