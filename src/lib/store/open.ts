/** Opens the store a URL names: the one place that chooses an engine. */
import { existsSync, statSync } from 'node:fs';
import type { Clock, Log } from '../core/deps.ts';
import type { StoreMeter } from '../core/meters.ts';
import { BodyFiles } from './body-files.ts';
import { type Beside, DurableStore } from './durable-store.ts';
import type { Engine } from './engine.ts';
import { freeBytesAt } from './free-space.ts';
import { migrate, noSchema, oldSchema, schemaState } from './migrate.ts';
import { removeLaterFiles } from './orphan-files.ts';
import { PostgresEngine } from './postgres/engine.ts';
import { SqliteEngine } from './sqlite/engine.ts';
import type { Store } from './store.ts';
import { parseStoreUrl, type StoreUrl } from './url.ts';

export interface OpenStoreOptions {
  readonly url: string;
  readonly clock: Clock;
  /** By which the answers of the database are waited for: a clock that a test moves is none of the database's. Default: `clock`. */
  readonly waits?: Pick<Clock, 'after'>;
  readonly log: Log;
  /** Bring the schema up to date first. A SQLite file is made, or brought up to date, in any case: nobody else works on it. */
  readonly autoMigrate: boolean;
  readonly meter?: StoreMeter;
  /** How many bytes are free where a SQLite file and its bodies are. Default: what their file systems say. */
  readonly freeOnDisk?: typeof freeBytesAt;
}

/**
 * Throws `UserError` when the URL is wrong, the database cannot be reached, or its schema is missing, old, or newer than this program; the
 * message names the command that helps. The caller closes the store.
 */
export async function openStore(options: OpenStoreOptions): Promise<Store> {
  const { clock, log } = options;
  const url = parseStoreUrl(options.url);
  if (options.autoMigrate || isNewFile(url)) await migrate(url, { now: clock.now(), mayCreate: true });
  let state = await schemaState(url);
  if (state.kind === 'old' && url.kind === 'sqlite') {
    await migrate(url, { now: clock.now(), mayCreate: false });
    state = await schemaState(url);
  }
  if (state.kind === 'empty') throw noSchema(url);
  if (state.kind === 'old') throw oldSchema(url, state);
  const { engine, beside } = openEngine(url, options);
  try {
    if (beside !== undefined) await removeLaterFiles(beside.files, engine, log);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const store = new DurableStore(engine, clock, log, options.meter, beside, options.waits);
  await store.lookAtSpace();
  return store;
}

/** Beside the database, and like it for nobody else. */
export function bodyFolder(file: string): string {
  return `${file}-bodies`;
}

function isNewFile(url: StoreUrl): boolean {
  return url.kind === 'sqlite' && (!existsSync(url.file) || statSync(url.file).size === 0);
}

function openEngine(url: StoreUrl, options: OpenStoreOptions): { readonly engine: Engine; readonly beside?: Beside } {
  if (url.kind === 'postgres') return { engine: new PostgresEngine(url.url, options.log) };
  const { file } = url;
  const { freeOnDisk = freeBytesAt } = options;
  const [engine, folder] = [new SqliteEngine(file), bodyFolder(file)];
  const look = async () => ({ disk: await freeOnDisk([file, folder]), inFile: await engine.unusedBytes() });
  return { engine, beside: { files: new BodyFiles(folder), look } };
}
