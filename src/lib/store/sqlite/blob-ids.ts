/**
 * Ids for the blobs of small bodies, reserved many at once. SQLite notes the highest id of a table with each insert, so that it is never given again, and
 * that note is a page of its own for each commit; ids up to what is noted already cost none.
 *
 * A reserved id that is not used stays unused. Who draws an id by the table itself (a body in a file, an upload) gets one behind the reserved ones.
 */
import type { SqlAtOnce } from '../sql/sql.ts';

const RESERVED_IDS = 1000;

const STATE = `select coalesce((select seq from sqlite_sequence where name = 'blobs'), 0) as noted,
  coalesce((select max(id) from blobs), 0) as newest`;

export class BlobIds {
  #next = 1;
  #last = 0;

  /** To be asked when a transaction has begun: what was reserved by one that was rolled back is forgotten. */
  begin(sql: SqlAtOnce): void {
    const [state] = sql.all<{ noted: number; newest: number }>(STATE, []);
    const { noted, newest } = state as { noted: number; newest: number };
    if (noted === this.#last && newest < this.#next) return;
    this.#next = noted + 1;
    this.#last = noted;
  }

  draw(sql: SqlAtOnce): number {
    if (this.#next > this.#last) this.#reserve(sql);
    const id = this.#next;
    this.#next += 1;
    return id;
  }

  #reserve(sql: SqlAtOnce): void {
    this.#last += RESERVED_IDS;
    const noted = sql.run("update sqlite_sequence set seq = ? where name = 'blobs'", [this.#last]);
    if (noted === 0) sql.run("insert into sqlite_sequence (name, seq) values ('blobs', ?)", [this.#last]);
  }
}
