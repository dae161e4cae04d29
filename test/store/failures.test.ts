import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteWriter } from '../../src/lib/store/sqlite/writer.ts';
import { type Store, StoreUnavailableError } from '../../src/lib/store/store.ts';
import { databases, openTestStore, type TestDatabase } from '../helpers/databases.ts';
import { sampleTransaction } from '../helpers/sample-transactions.ts';

/** Creates transactions one after the other, 40 kB each, and prints the id of each that was promised; then how it ended. */
const CREATE_UNTIL_IT_FAILS = `
  import { openStore } from './dist/lib/store/open.js';
  import { memoryBody } from './dist/lib/core/body.js';
  const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log };
  const clock = { now: () => 1000, monotonicMs: () => 1000, sleep: () => new Promise(() => {}), after: () => () => {} };
  const store = await openStore({ url: process.env.URL_TO_FILL, clock, log, autoMigrate: true });
  const record = { sender: 's', origin: {}, rcptTo: [], retry: true, notification: true, createdAt: 1, filterOutput: {} };
  for (let i = 0; i < 5000; i += 1) {
    const body = memoryBody(Buffer.alloc(40_000, 'x'));
    const tx = { record: { ...record, id: 'tx' + i }, attempts: [], next: { kind: 'due', at: 1 },
      blobs: [{ name: 'body', source: { kind: 'body', body } }] };
    try {
      await store.create([tx], 1000);
    } catch (error) {
      console.log('failed ' + error.name);
      process.exit(0);
    }
    console.log('promised ' + tx.record.id);
  }`;

const promisedIn = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith('promised ')).map((line) => line.slice('promised '.length));

describe.each(databases)('a process killed while it writes to $name', (kind) => {
  it('has lost nothing of what it had promised', async () => {
    const database = await kind.create();
    try {
      const child = execa(process.execPath, ['--input-type=module', '-e', CREATE_UNTIL_IT_FAILS], {
        env: { URL_TO_FILL: database.url },
        reject: false,
        buffer: false,
      });
      const lines: string[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        lines.push(line);
        if (lines.length === 60) child.kill('SIGKILL');
      }
      await child;
      const promised = promisedIn(lines);
      expect(promised.length).toBeGreaterThanOrEqual(60);
      const store = await openTestStore(database);
      for (const id of promised) {
        expect(await store.blobStatus(id, 'body')).toMatchObject({ length: 40_000, finalized: true });
      }
      await store.close();
    } finally {
      await database.drop();
    }
  });
});

describe('SQLite on a disk that is full', () => {
  it('is reported as unavailable, and all that was promised before is there', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'koukan-full-'));
    const url = `sqlite:///${join(folder, 'mail.sqlite')}`;
    try {
      // A limit on the size of files (in KiB) stands for the end of the disk.
      const { stdout } = await execa(
        'bash',
        ['-c', 'ulimit -f 3000; exec "$0" --input-type=module -e "$1"', process.execPath, CREATE_UNTIL_IT_FAILS],
        { env: { URL_TO_FILL: url } },
      );
      const lines = stdout.split('\n');
      const promised = promisedIn(lines);
      expect(lines.at(-1)).toBe('failed StoreUnavailableError');
      expect(promised.length).toBeGreaterThan(0);
      const store = await openTestStore({ url, drop: async () => undefined });
      expect((await store.load(promised.at(-1) ?? ''))?.inputDone).toBe(true);
      expect(await store.load(`tx${promised.length}`)).toBeUndefined();
      await store.create([sampleTransaction('more')], 1000);
      await store.close();
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe('the writer thread of SQLite', () => {
  it('may die: whoever waits hears of it, and the next batch starts another', async () => {
    const dying = new URL('data:text/javascript,process.exit(3)');
    const writer = new SqliteWriter('unused.sqlite', dying);
    for (let i = 0; i < 2; i += 1) {
      const error = await writer.commit([]).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(StoreUnavailableError);
      expect(String(error)).toContain('ended');
      expect(error, 'it may have committed').toMatchObject({ isInDoubt: true });
    }
    await writer.close();
  });

  it('reports a file that has gone away, and goes on when it is back', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'koukan-gone-'));
    const file = join(folder, 'mail.sqlite');
    const writer = new SqliteWriter(file);
    try {
      // Nothing was committed, certainly.
      await expect(writer.commit([])).rejects.toMatchObject({ name: 'StoreUnavailableError', isInDoubt: false });
      await (await openTestStore({ url: `sqlite:///${file}`, drop: async () => undefined })).close();
      const { results } = await writer.commit([{ verb: 'cancel', args: { txId: 'x', now: 1 } }]);
      expect(results).toEqual([{ kind: 'done', value: undefined }]);
    } finally {
      await writer.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});

/** A way to a server that can be cut and mended. */
class Wire {
  readonly #target: { readonly host: string; readonly port: number };
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  port = 0;

  constructor(target: { readonly host: string; readonly port: number }) {
    this.#target = target;
  }

  async mend(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#target);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(from);
        from.on('error', () => to.destroy()).on('close', () => to.destroy());
        from.pipe(to);
      }
    });
    server.listen(this.port, '127.0.0.1');
    await once(server, 'listening');
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const closed = once(server, 'close');
    server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
    await closed;
  }
}

describe('PostgreSQL that goes away', () => {
  let database: TestDatabase;
  let wire: Wire;
  let store: Store;

  beforeEach(async () => {
    database = await (databases[1] as (typeof databases)[number]).create();
    const url = new URL(database.url);
    wire = new Wire({ host: url.hostname, port: Number(url.port) });
    await wire.mend();
    url.port = String(wire.port);
    store = await openTestStore({ ...database, url: url.href });
    await store.openSession('http://one:8000', 1000);
  });

  afterEach(async () => {
    await store.close();
    await wire.cut();
    await database.drop();
  });

  it('makes reads and writes fail as unavailable, and needs no restart when it is back', async () => {
    await store.create([sampleTransaction('before')], 1000);
    await wire.cut();
    await expect(store.create([sampleTransaction('during')], 1000)).rejects.toBeInstanceOf(StoreUnavailableError);
    await expect(store.load('before')).rejects.toBeInstanceOf(StoreUnavailableError);
    await wire.mend();
    await store.create([sampleTransaction('after')], 1000);
    expect(await store.refreshSession(2000)).toBe(true);
    expect((await store.claimDue(1000, 10)).map((tx) => tx.record.id).sort()).toEqual(['after', 'before']);
  });

  it('keeps history until it can be written', async () => {
    await wire.cut();
    const final = { outcome: 'delivered', text: 'upstream response success' } as const;
    store.recordHistory(sampleTransaction('past', { next: { kind: 'final', final } }), 1000);
    await expect(store.flush()).rejects.toBeInstanceOf(StoreUnavailableError);
    await wire.mend();
    await store.flush();
    expect(await store.load('past')).toMatchObject({ final });
  });

  it('answers every one of many writes that were under way when the connection broke', async () => {
    const writes = Array.from({ length: 200 }, (_, i) => store.create([sampleTransaction(`t${i}`)], 1000));
    const settled = Promise.allSettled(writes);
    await wire.cut();
    const results = await settled;
    await wire.mend();
    for (const [i, result] of results.entries()) {
      if (result.status === 'fulfilled') expect(await store.load(`t${i}`)).toBeDefined();
      else expect(result.reason).toBeInstanceOf(StoreUnavailableError);
    }
  });
});
