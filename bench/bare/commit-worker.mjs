/** The thread that writes: one transaction for each batch, synced to disk (WAL, synchronous=FULL), then word of it. */
import { parentPort, workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';

const database = new Database(workerData);
database.pragma('journal_mode = wal');
database.pragma('synchronous = full');
database.exec('create table messages (id integer primary key, mail_from text, rcpt_to text, content blob)');
const insert = database.prepare('insert into messages (id, mail_from, rcpt_to, content) values (?, ?, ?, ?)');
const remove = database.prepare('delete from messages where id = ?');

const write = database.transaction(({ rows, delivered }) => {
  for (const id of delivered) remove.run(id);
  for (const { id, from, to, content } of rows) insert.run(id, from, to, content);
});

parentPort.on('message', (batch) => {
  write(batch);
  parentPort.postMessage('committed');
});
