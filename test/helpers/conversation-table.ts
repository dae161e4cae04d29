/** A table of conversations over real spool files, whose far end answers as the test says. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drive } from '../../src/lib/chain/drive.ts';
import type { Conversation } from '../../src/lib/conversation/conversation.ts';
import { ConversationTable } from '../../src/lib/conversation/conversation-table.ts';
import type { UploadAsk } from '../../src/lib/http/service.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { FakeClock } from './fake-clock.ts';
import { fakeDeps, type LogLine, memoryLog } from './fake-deps.ts';
import { type FakeAnswers, FakeExchange } from './fake-exchange.ts';

export const SILENCE_MS = 60_000;
export const DONE_TTL_MS = 5000;
/** Larger messages lie in a file; ones larger than `MAX_BYTES` are refused. */
export const MEMORY_BYTES = 16;
export const MAX_BYTES = 200;

export interface TableHarness extends AsyncDisposable {
  readonly table: ConversationTable;
  readonly clock: FakeClock;
  readonly log: readonly LogLine[];
  /** Opens a conversation with a far end of its own. */
  open(answers?: FakeAnswers): { conversation: Conversation; upstream: FakeExchange };
}

export async function tableHarness(): Promise<TableHarness> {
  const clock = new FakeClock();
  const log = memoryLog();
  const deps = fakeDeps({ clock, log });
  const directory = await mkdtemp(join(tmpdir(), 'koukan-conversations-'));
  const spool = new Spool(directory, deps);
  await spool.prepare();
  const makeSpool = () => spool.writer({ maxBytes: MAX_BYTES, inMemoryBytes: MEMORY_BYTES });
  const table = new ConversationTable({ deps, makeSpool, doneTtlMs: DONE_TTL_MS });
  const stop = new AbortController();
  const sweeping = table.sweep(stop.signal);
  let count = 0;
  return {
    table,
    clock,
    log: log.lines,
    open(answers = {}) {
      count += 1;
      const upstream = new FakeExchange(answers);
      const conversation = table.open({ id: `c${count}`, origin: {}, silenceMs: SILENCE_MS }, async (opened) => {
        opened.live.apply({ type: 'attempt' });
        await drive(opened.live, upstream, opened.stop, (error) => log.error({ error }, 'bug'));
      });
      return { conversation, upstream };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await sweeping;
      await table.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function* inChunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** A PUT without Content-Range. */
export function whole(text: string, chunkBytes = 7): UploadAsk {
  return { offset: 0, whole: true, bytes: inChunks(Buffer.from(text), chunkBytes) };
}

/** A PUT with Content-Range; without a total the length stays open. */
export function range(text: string, offset: number, total?: number): UploadAsk {
  return { offset, whole: false, ...(total !== undefined && { total }), bytes: inChunks(Buffer.from(text), 7) };
}

/** A PUT with `x-finalize-blob-length`. */
export function finalizeAt(total: number): UploadAsk {
  return { offset: total, total, whole: false, bytes: inChunks(Buffer.alloc(0), 1) };
}
