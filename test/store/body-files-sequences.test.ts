import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Body, bodyBytes, memoryBody } from '../../src/lib/core/body.ts';
import { bodyFolder } from '../../src/lib/store/open.ts';
import { BODY_BLOB, type Store } from '../../src/lib/store/store.ts';
import { openTestStore, sqlite } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

const ENDED = { kind: 'final', final: { outcome: 'delivered', text: 'upstream response success' } } as const;

/** Bytes that no other message has. */
function bytesOf(number: number, sizeBytes: number): Buffer {
  return Buffer.alloc(sizeBytes, `message ${number}, `);
}

/** In pieces, of memory that belongs to the next message as soon as it is given back. */
function lentBody(bytes: Buffer): Body {
  const pieces = [Buffer.from(bytes.subarray(0, 70_000)), Buffer.from(bytes.subarray(70_000))];
  const giveBack = (): void => {
    for (const piece of pieces) piece.fill(0xee);
  };
  async function* chunks(): AsyncGenerator<Buffer> {
    yield bytes;
  }
  return { size: bytes.length, chunks, retain: () => () => undefined, lend: () => ({ pieces, giveBack }) };
}

/** The second half cannot be read, as of a client's spool file on a disk that fails. */
function brokenBody(bytes: Buffer): Body {
  async function* chunks(): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, bytes.length / 2);
    throw new Error('cannot be read');
  }
  return { size: bytes.length, chunks, retain: () => () => undefined };
}

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('create'), sizeBytes: fc.integer({ min: 1, max: 800_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('break'), sizeBytes: fc.integer({ min: 2, max: 800_000 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('collect'), sizeBytes: fc.nat(10) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen'), sizeBytes: fc.constant(0) }) },
);

it('each body is its own bytes or gone, whatever was stored, broken off, collected and opened anew between', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 8 }), async (rounds) => {
      const database = await sqlite.create();
      let store: Store = await openTestStore(database);
      /** By number, which is also the instant at which it was stored. */
      const there = new Map<number, Buffer>();
      let number = 0;
      const create = async (body: Body, at: number): Promise<void> => {
        await store.create([sampleTransaction(`tx${at}`, { body, next: ENDED })], at);
      };
      const take = async ({ kind, sizeBytes }: { kind: string; sizeBytes: number }): Promise<void> => {
        number += 1;
        const at = number;
        const bytes = bytesOf(at, sizeBytes);
        if (kind === 'break') await expect(create(brokenBody(bytes), at)).rejects.toThrow('cannot be read');
        if (kind !== 'create') return;
        await create(at % 2 === 0 && sizeBytes > 70_000 ? lentBody(bytes) : memoryBody(bytes), at);
        there.set(at, bytes);
      };
      const collect = async (before: number): Promise<void> => {
        await store.collectGarbage(before, 100);
        for (const at of there.keys()) if (at < before) there.delete(at);
      };
      try {
        for (const round of rounds) {
          await Promise.all(round.map(take));
          for (const { kind, sizeBytes } of round) {
            if (kind === 'collect') await collect(Math.max(0, number - sizeBytes));
            if (kind !== 'reopen') continue;
            await store.close();
            store = await openTestStore(database);
          }
          for (let at = 1; at <= number; at += 1) {
            const body = await store.openBlob(`tx${at}`, BODY_BLOB);
            const bytes = body && (await bodyBytes(body));
            expect(bytes?.equals(there.get(at) ?? Buffer.alloc(0)) ?? 'gone').toBe(there.has(at) ? true : 'gone');
          }
        }
        await collect(number + 1);
        expect(await readdir(bodyFolder(database.url.slice('sqlite:///'.length))).catch(() => [])).toEqual([]);
      } finally {
        await store.close();
        await database.drop();
      }
    }),
    { numRuns: 12 },
  );
}, 120_000);
