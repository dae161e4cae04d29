/** Databases to measure on, both with every commit synced to disk, and how many commits they have made. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { Child } from './child.mjs';

/** A file in `dir`. */
function openSqlite(dir) {
  const file = path.join(dir, 'koukan.sqlite');
  return Promise.resolve({ url: `sqlite:///${file}`, pids: [], commits: () => walCommits(`${file}-shm`) });
}

/** `iChange` in the header of SQLite's WAL index (sqlite.org/walformat.html): it counts the transactions that wrote. */
function walCommits(file) {
  const header = new Uint32Array(3);
  // Nobody has written yet.
  if (!existsSync(file)) return 0;
  const fd = openSync(file, 'r');
  try {
    // In the byte order of the machine.
    readSync(fd, header, 0, header.byteLength, 0);
  } finally {
    closeSync(fd);
  }
  return header[2];
}

async function openPostgres(dir, stops) {
  const server = new Child('./postgres.mjs');
  stops.add(() => server.stop());
  const { url, pid } = await server.ask('start', dir);
  return { url, pids: [pid], commits: () => server.ask('commits') };
}

/** By the name that `--store` has for it. */
export const openDatabase = { sqlite: openSqlite, postgres: openPostgres };
