/** Databases to measure on, both with every commit synced to disk, how many commits they have made, and what is in them. */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { Child } from './child.mjs';
import { CONTENTS } from './store-usage.mjs';

/** A file in `dir`. */
function openSqlite(dir) {
  const file = path.join(dir, 'koukan.sqlite');
  return Promise.resolve({
    url: `sqlite:///${file}`,
    pids: [],
    commits: () => walCommits(`${file}-shm`),
    contents: async () => contentsIn(file),
  });
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

/** Opened for each look: nothing is held open beside those who use it. */
function contentsIn(file) {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare(CONTENTS).get();
  } finally {
    db.close();
  }
}

async function openPostgres(dir, stops) {
  const server = new Child('./postgres.mjs');
  stops.add(() => server.stop());
  const { url, pid } = await server.ask('start', dir);
  return { url, pids: [pid], commits: () => server.ask('commits'), contents: () => server.ask('contents') };
}

/** By the name that `--store` has for it. */
export const openDatabase = { sqlite: openSqlite, postgres: openPostgres };
