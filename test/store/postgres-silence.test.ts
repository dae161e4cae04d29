/** A PostgreSQL that stops answering without a word, and what a router asks of every connection so that this costs little. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrate } from '../../src/lib/store/migrate.ts';
import { openPool } from '../../src/lib/store/postgres/connection.ts';
import { PostgresEngine } from '../../src/lib/store/postgres/engine.ts';
import { StoreUnavailableError } from '../../src/lib/store/store.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

const QUERY_MS = 300;
const OPEN = { verb: 'openSession', args: { uri: 'http://one:8000', ttlMs: 1000, yields: false, now: 1 } } as const;

/** A way to the server on which, when it is silent, nothing comes back: not even the end of a connection. */
class Wire {
  isSilent = false;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(port: number, host: string) {
    this.#server = createServer((near) => {
      const far = connect(port, host);
      for (const socket of [near, far]) {
        this.#sockets.add(socket);
        socket.on('error', () => undefined);
      }
      near.on('data', (bytes) => this.isSilent || far.write(bytes));
      far.on('data', (bytes) => this.isSilent || near.write(bytes));
      far.on('close', () => this.isSilent || near.destroy());
    });
  }

  async open(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as { port: number }).port;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let database: TestDatabase;

beforeEach(async () => {
  const created = await databases.find(({ name }) => name === 'postgres')?.create();
  if (created === undefined) throw new Error('there is no PostgreSQL to test on');
  database = created;
  await migrate(parseStoreUrl(database.url), { now: 1, mayCreate: true });
});

afterEach(() => database.drop());

describe('a PostgreSQL that falls silent', () => {
  it('is noticed when its time for an answer is over, and used again when it speaks', async () => {
    const url = new URL(database.url);
    const wire = new Wire(Number(url.port), url.hostname);
    url.port = String(await wire.open());
    const engine = new PostgresEngine(url.href, memoryLog(), QUERY_MS);
    const { results } = await engine.commit([OPEN]);
    expect(results).toEqual([{ kind: 'done', value: 1 }]);
    wire.isSilent = true;
    const from = performance.now();
    await expect(engine.commit([OPEN])).rejects.toBeInstanceOf(StoreUnavailableError);
    // Not twice as long: nobody asks a silent server to roll back.
    expect(performance.now() - from).toBeLessThan(QUERY_MS * 1.9);
    wire.isSilent = false;
    expect(await engine.commit([OPEN])).toMatchObject({ changed: true });
    await engine.close();
    await wire.close();
  });
});

describe('the connections of a router to PostgreSQL', () => {
  it('have the server end what the router has given up, and free its locks', async () => {
    const pool = openPool(database.url, memoryLog(), QUERY_MS);
    const lost = await pool.connect();
    await lost.query('begin');
    await lost.query('lock table sessions in access exclusive mode');
    const ended = new Promise((resolve) => lost.once('error', resolve));
    // Whoever holds this is cut off: it says nothing more.
    const other = new PostgresEngine(database.url, memoryLog());
    expect(await other.commit([OPEN])).toMatchObject({ changed: true });
    await ended;
    lost.release(true);
    const slow = await pool.connect();
    await expect(slow.query('select pg_sleep(60)')).rejects.toThrow();
    slow.release(true);
    await pool.end();
    await other.close();
  });

  it('do not take a commit for safe before it is, whatever the database has been told', async () => {
    const name = new URL(database.url).pathname.slice(1);
    const before = openPool(database.url, memoryLog(), QUERY_MS);
    await before.query(`begin read write; alter database ${name} set synchronous_commit = off; commit`);
    await before.end();
    const pool = openPool(database.url, memoryLog(), QUERY_MS);
    const { rows } = await pool.query('show synchronous_commit');
    expect(rows).toEqual([{ synchronous_commit: 'on' }]);
    await pool.end();
  });
});
