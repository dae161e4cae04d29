import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Body, bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { ConflictError, LeaseLostError, StoreUnavailableError } from '../../src/lib/core/errors.ts';
import { limits } from '../../src/lib/core/limits.ts';
import { bodyFolder } from '../../src/lib/store/open.ts';
import { type BlobSource, BODY_BLOB, type Store } from '../../src/lib/store/store.ts';
import { openTestStore, sqlite, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const ENDED = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;
const LARGE = Buffer.from(Array.from({ length: 700_000 }, (_, i) => (i * 7) % 251));

async function* failing(): AsyncGenerator<Buffer> {
  yield LARGE.subarray(0, 10);
  throw new Error('cannot be read');
}

/** A body the second half of which can be read when the test wants. */
function slowBody() {
  let goOn = (): void => undefined;
  let begin = (): void => undefined;
  const mayGoOn = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const isRead = new Promise<void>((resolve) => {
    begin = resolve;
  });
  async function* chunks(): AsyncGenerator<Buffer> {
    yield LARGE.subarray(0, 1000);
    begin();
    await mayGoOn;
    yield LARGE.subarray(1000);
  }
  return { body: { size: LARGE.length, chunks, retain: () => () => undefined }, isRead, goOn };
}

/** A body in memory that is only ever lent; `isOut` while somebody has it, and its bytes are written over when it comes back. */
function lentBody(bytes: Buffer, pieceBytes: number, mayEnd?: () => Promise<void>) {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(Buffer.from(bytes.subarray(at, at + pieceBytes)));
  const lent = { loans: 0, isOut: false };
  const body: Body = {
    size: bytes.length,
    chunks: () => {
      throw new Error('whoever reads it keeps its memory from the next message');
    },
    retain: () => () => undefined,
    lend: () => {
      lent.loans += 1;
      lent.isOut = true;
      const giveBack = (): void => {
        lent.isOut = false;
        for (const piece of pieces) piece.fill(0xee);
      };
      return { pieces, giveBack, ...(mayEnd && { mayEnd }) };
    },
  };
  return { body, lent };
}

describe('a large body on SQLite', () => {
  let database: TestDatabase;
  let store: Store;
  let folder: string;
  let log: ReturnType<typeof memoryLog>;
  let clock: FakeClock;

  beforeEach(async () => {
    log = memoryLog();
    clock = new FakeClock(1000);
    database = await sqlite.create();
    folder = bodyFolder(database.url.slice('sqlite:///'.length));
    store = await openTestStore(database, { clock });
  });

  afterEach(async () => {
    await store.close();
    await database.drop();
  });

  const create = (id: string, source: BlobSource = { kind: 'body', body: memoryBody(LARGE) }): Promise<void> =>
    store.create([sampleTransaction(id, { body: source, next: ENDED })], 1000);
  const read = async (id: string): Promise<Buffer | undefined> => {
    const body = await store.openBlob(id, BODY_BLOB);
    return body === undefined ? undefined : bodyBytes(body);
  };
  const files = (): Promise<string[]> => readdir(folder).catch(() => []);

  it('is a file that nobody else may read, and there again for who opens the store anew', async () => {
    await create('a');
    const [name = ''] = await files();
    expect((await stat(`${folder}/${name}`)).mode & 0o777).toBe(0o600);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    await store.close();
    store = await openTestStore(database);
    expect((await read('a'))?.equals(LARGE)).toBe(true);
  });

  it('is read from any byte on, and a small one needs no file', async () => {
    await create('a');
    const body = await store.openBlob('a', BODY_BLOB);
    const tail: Buffer[] = [];
    for await (const chunk of body?.chunksFrom?.(699_990) ?? []) tail.push(chunk);
    expect(Buffer.concat(tail).equals(LARGE.subarray(699_990))).toBe(true);
    await create('b', { kind: 'body', body: memoryBody(Buffer.alloc(100_000)) });
    expect(await files()).toHaveLength(1);
  });

  it('lives as long as somebody shares it, and its file goes with the last of them', async () => {
    await create('a');
    const shared = { kind: 'reuse', txId: 'a', name: BODY_BLOB } as const;
    await store.create([sampleTransaction('b', { body: shared, next: ENDED })], 5000);
    await store.collectGarbage(2000, 100);
    expect(await store.load('a')).toBeUndefined();
    expect((await read('b'))?.equals(LARGE)).toBe(true);
    await store.collectGarbage(9000, 100);
    expect(await files()).toEqual([]);
  });

  it('leaves no file behind whose row is gone, and nothing else is touched', async () => {
    await create('a');
    await create('b', { kind: 'body', body: memoryBody(Buffer.from('in its row')) });
    await writeFile(`${folder}/2`, 'left by a crash');
    await writeFile(`${folder}/notes`, 'not ours');
    await store.collectGarbage(0, 100);
    expect((await files()).sort()).toEqual(['1', 'notes']);
    expect((await read('a'))?.equals(LARGE)).toBe(true);
  });

  it('does not find its place taken by files of a later state of a database that was put back', async () => {
    await create('a');
    await store.close();
    for (let id = 1; id <= 40; id += 1) await writeFile(`${folder}/${id}`, id === 1 ? LARGE : 'of later');
    await writeFile(`${folder}/notes`, 'not ours');
    store = await openTestStore(database, { log });
    expect((await files()).sort()).toEqual(['1', 'notes']);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { files: 39 } }]);
    await create('b');
    await store.collectGarbage(0, 100);
    for (const id of ['a', 'b']) expect((await read(id))?.equals(LARGE)).toBe(true);
  });

  it('is never taken for one whose row is gone because its row is yet to be asked for', async () => {
    await create('a');
    // As it looks to a sweep that began a moment too early.
    await writeFile(`${folder}/2`, 'just stored');
    await store.collectGarbage(0, 100);
    expect((await files()).sort()).toEqual(['1', '2']);
  });

  it('may be stored although the folder cannot be cleared when it is opened', async () => {
    await create('a');
    await store.close();
    await mkdir(`${folder}/2`);
    store = await openTestStore(database, { log });
    expect(log.lines.at(-1)).toMatchObject({ level: 'warn', text: expect.stringContaining('cannot be removed') });
    expect((await read('a'))?.equals(LARGE)).toBe(true);
    await rm(`${folder}/2`, { recursive: true });
  });

  it('is promised to nobody when it cannot be written, and the next one can be', async () => {
    await writeFile(folder, 'in the way');
    await expect(create('a')).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(await store.load('a')).toBeUndefined();
    await rm(folder);
    await mkdir(folder, { mode: 0o700 });
    await create('b');
    expect((await read('b'))?.equals(LARGE)).toBe(true);
    // What was begun and came to nothing is garbage like any other.
    expect((await store.collectGarbage(2000, 100)).blobs).toBe(2);
    expect(await files()).toEqual([]);
  });

  it.each([300_000, 65_536, 400])(
    'is borrowed for its file, in pieces of %i bytes, and given back when it is written',
    async (pieceBytes) => {
      const { body, lent } = lentBody(LARGE, pieceBytes);
      await create('a', { kind: 'body', body });
      expect(lent).toEqual({ loans: 1, isOut: false });
      expect((await read('a'))?.equals(LARGE)).toBe(true);
    },
  );

  it('is given back when it cannot be written, too', async () => {
    await writeFile(folder, 'in the way');
    const { body, lent } = lentBody(LARGE, 65_536);
    await expect(create('a', { kind: 'body', body })).rejects.toBeInstanceOf(StoreUnavailableError);
    expect(lent.isOut).toBe(false);
  });

  it('that its owner lets nobody end is not stored, and given back', async () => {
    const { body, lent } = lentBody(LARGE, 65_536, () => Promise.reject(new Error('taken back')));
    await expect(create('a', { kind: 'body', body })).rejects.toThrow('taken back');
    expect(lent).toEqual({ loans: 1, isOut: false });
    expect(await store.load('a')).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it.each([
    ['longer', Buffer.concat([LARGE, Buffer.from('!')])],
    ['shorter', LARGE.subarray(1)],
  ])('is not read from a file that is %s than it was stored', async (_, bytes) => {
    await create('a');
    const [name = ''] = await files();
    await writeFile(`${folder}/${name}`, bytes);
    const body = await store.openBlob('a', BODY_BLOB);
    const chunks: Buffer[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of body?.chunks() ?? []) chunks.push(chunk);
    };
    await expect(reading()).rejects.toThrow('as long as its row says');
    expect(chunks).toEqual([]);
  });

  it('that is shorter than it says is not stored', async () => {
    const short = { ...memoryBody(LARGE), size: LARGE.length + 1 };
    await expect(create('a', { kind: 'body', body: short })).rejects.toThrow(/as long as it says/);
    expect(await store.load('a')).toBeUndefined();
    expect(await files()).toEqual([]);
  });

  it('leaves no file when its transaction is refused, nor when another body of it cannot be read', async () => {
    await create('a');
    await expect(create('a')).rejects.toBeInstanceOf(ConflictError);
    const { blobs, ...rest } = sampleTransaction('b', { body: memoryBody(LARGE), next: ENDED });
    const unreadable = { ...memoryBody(Buffer.alloc(0)), size: LARGE.length, chunks: () => failing() };
    const parts = [...blobs, { name: 'part', source: { kind: 'body' as const, body: unreadable } }];
    await expect(store.create([{ ...rest, blobs: parts }], 1000)).rejects.toThrow('cannot be read');
    expect(await files()).toEqual(['1']);
    expect((await read('a'))?.equals(LARGE)).toBe(true);
  });

  it('leaves no file when the reports of an outcome are refused with it', async () => {
    const report = sampleTransaction('report', { body: memoryBody(LARGE), next: ENDED });
    await store.openSession('http://one:8000', 1000);
    const outcome = {
      id: 'unknown',
      attempt: { number: 1, startedAt: 1, endedAt: 2, replies: {} },
      filterOutput: {},
      next: ENDED,
      spawn: [report],
      version: 2,
    };
    await expect(store.recordOutcome(outcome as never, 1000)).rejects.toBeInstanceOf(LeaseLostError);
    expect(await files()).toEqual([]);
  });

  it('is no garbage while its create is under way, however long that takes', async () => {
    const slow = slowBody();
    const created = create('a', { kind: 'body', body: slow.body });
    await slow.isRead;
    await clock.advance(10 * limits.unusedFileMs);
    expect(await store.collectGarbage(0, 100)).toMatchObject({ blobs: 0 });
    slow.goOn();
    await created;
    expect((await read('a'))?.equals(LARGE)).toBe(true);
  });

  it('that was left by a crash goes after minutes, and is never referred to again', async () => {
    const slow = slowBody();
    const created = create('a', { kind: 'body', body: slow.body });
    await slow.isRead;
    // To another store it is what a crash has left.
    const other = await openTestStore(database, { clock });
    await other.collectGarbage(0, 100);
    expect(await files()).toEqual(['1']);
    await clock.advance(limits.unusedFileMs + 1);
    expect(await other.collectGarbage(0, 100)).toMatchObject({ blobs: 1 });
    expect(await files()).toEqual([]);
    await other.close();
    slow.goOn();
    await expect(created).rejects.toThrow();
    expect(await store.load('a')).toBeUndefined();
  });

  it('written by many at once is there for each', async () => {
    const ids = Array.from({ length: 12 }, (_, i) => `tx${i}`);
    const bytes = (i: number): Buffer => Buffer.alloc(300_000 + i, `${i} `);
    await Promise.all(ids.map((id, i) => create(id, { kind: 'body', body: memoryBody(bytes(i)) })));
    for (const [i, id] of ids.entries()) expect((await read(id))?.equals(bytes(i))).toBe(true);
  });
});
