import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { BODY_BLOB, type Store } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

describe.each(databases)('uploading to the store on $name', (kind) => {
  let database: TestDatabase;
  let store: Store;
  let count = 0;

  beforeAll(async () => {
    database = await kind.create();
    store = await openTestStore(database);
    await store.openSession('http://one:8000', 1000);
  });

  afterAll(async () => {
    await store.close();
    await database.drop();
  });

  const openUpload = async (names: readonly string[] = [BODY_BLOB]): Promise<string> => {
    count += 1;
    const id = `upload-${count}`;
    const blobs = names.map((name) => ({ name, source: { kind: 'open' } as const }));
    await store.create([{ ...sampleTransaction(id), blobs }], 1000);
    return id;
  };
  const put = (id: string, offset: number, text: string, total?: number) =>
    store.append(id, BODY_BLOB, { offset, bytes: Buffer.from(text), ...(total === undefined ? {} : { total }) }, 1000);
  const bytesOf = async (id: string): Promise<string | undefined> => {
    const body = await store.openBlob(id, BODY_BLOB);
    return body && (await bodyBytes(body)).toString();
  };

  it('is finalized when the declared total is reached', async () => {
    const id = await openUpload();
    expect(await put(id, 0, 'abc')).toEqual({
      kind: 'stored',
      status: { name: BODY_BLOB, length: 3, finalized: false },
      inputDone: false,
    });
    expect(await bytesOf(id)).toBeUndefined();
    expect(await put(id, 3, 'def', 6)).toMatchObject({
      status: { length: 6, total: 6, finalized: true },
      inputDone: true,
    });
    expect(await bytesOf(id)).toBe('abcdef');
    expect(await store.blobStatus(id, BODY_BLOB)).toEqual({ name: BODY_BLOB, length: 6, total: 6, finalized: true });
  });

  it('takes the declaration of the total alone, and a body of no bytes', async () => {
    const id = await openUpload();
    await put(id, 0, 'abc');
    expect(await put(id, 3, '', 3)).toMatchObject({ kind: 'stored', inputDone: true });
    const empty = await openUpload();
    expect(await put(empty, 0, '', 0)).toMatchObject({ kind: 'stored', status: { finalized: true }, inputDone: true });
    expect(await bytesOf(empty)).toBe('');
  });

  it('skips a prefix that is stored already', async () => {
    const id = await openUpload();
    await put(id, 0, 'abcd');
    expect(await put(id, 2, 'cdef')).toMatchObject({ kind: 'stored', status: { length: 6 } });
    expect(await put(id, 0, 'abcdef', 6)).toMatchObject({ kind: 'stored', inputDone: true });
    expect(await put(id, 0, 'abcdef', 6)).toMatchObject({ kind: 'stored', inputDone: true });
    expect(await bytesOf(id)).toBe('abcdef');
  });

  it.each([
    ['a gap', 5, 'x', undefined],
    ['a total below what is stored', 0, 'ab', 2],
    ['growth past the total of the same piece', 3, 'defg', 5],
  ] as const)('refuses %s and says where to resume', async (_, offset, text, total) => {
    const id = await openUpload();
    await put(id, 0, 'abc');
    expect(await put(id, offset, text, total)).toEqual({
      kind: 'range',
      status: { name: BODY_BLOB, length: 3, finalized: false },
    });
    expect(await store.blobStatus(id, BODY_BLOB)).toMatchObject({ length: 3 });
  });

  it('refuses to contradict or grow past a declared total', async () => {
    const id = await openUpload();
    await put(id, 0, 'abc', 6);
    const status = { name: BODY_BLOB, length: 3, total: 6, finalized: false };
    expect(await put(id, 3, 'def', 7)).toEqual({ kind: 'range', status });
    expect(await put(id, 3, 'defg')).toEqual({ kind: 'range', status });
    expect(await put(id, 3, 'def')).toMatchObject({ kind: 'stored', inputDone: true });
    expect(await put(id, 0, 'abcdefghi', 9)).toMatchObject({ kind: 'range' });
  });

  it('tells an unknown transaction from an unknown blob', async () => {
    expect(await put('nobody', 0, 'x')).toEqual({ kind: 'unknownTransaction' });
    const id = await openUpload();
    expect(await store.append(id, 'nope', { offset: 0, bytes: Buffer.from('x') }, 1000)).toEqual({
      kind: 'unknownBlob',
    });
  });

  it('is complete when the last of several blobs is, even if they end at the same moment', async () => {
    const id = await openUpload(['a', 'b', 'c']);
    await store.append(id, 'a', { offset: 0, bytes: Buffer.from('a'), total: 1 }, 1000);
    expect(await store.load(id)).toMatchObject({ inputDone: false, version: 1 });
    await Promise.all(
      ['b', 'c'].map((name) => store.append(id, name, { offset: 0, bytes: Buffer.from(name), total: 1 }, 1000)),
    );
    expect(await store.load(id)).toMatchObject({ inputDone: true, version: 2 });
  });

  it('is not claimed before its input is complete', async () => {
    const id = await openUpload();
    const claimed = async (): Promise<readonly string[]> => (await store.claimDue(5000, 100)).map((tx) => tx.record.id);
    expect(await claimed()).not.toContain(id);
    await put(id, 0, 'abc', 3);
    expect(await claimed()).toContain(id);
  });

  it('refuses all of a large piece whose end lies past the total', async () => {
    const id = await openUpload();
    const bytes = Buffer.alloc(3 * 1024 * 1024, 'x');
    expect(await store.append(id, BODY_BLOB, { offset: 0, bytes, total: bytes.length - 1 }, 1000)).toMatchObject({
      kind: 'range',
      status: { length: 0 },
    });
  });

  it('stores any bytes in any pieces, with any retries', async () => {
    const pieces = fc.array(fc.uint8Array({ minLength: 0, maxLength: 40 }), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(pieces, fc.array(fc.nat(20), { minLength: 8, maxLength: 8 }), async (parts, overlaps) => {
        const whole = Buffer.concat(parts);
        const id = await openUpload();
        let stored = 0;
        for (const [i, part] of parts.entries()) {
          const end = stored + part.length;
          const offset = Math.max(0, stored - (overlaps[i] ?? 0));
          const result = await store.append(id, BODY_BLOB, { offset, bytes: whole.subarray(offset, end) }, 1000);
          expect(result).toMatchObject({ kind: 'stored', status: { length: end } });
          stored = end;
        }
        await store.append(id, BODY_BLOB, { offset: stored, bytes: Buffer.alloc(0), total: stored }, 1000);
        const body = (await store.openBlob(id, BODY_BLOB)) ?? memoryBody(Buffer.from('missing'));
        expect((await bodyBytes(body)).equals(whole)).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});
