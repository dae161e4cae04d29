/** A database of Koukan as somebody has it who writes into it directly, of either engine; only while no router is using it. */
import Database from 'better-sqlite3';
import pg from 'pg';

const CACHE_KB = 1_000_000;

/** Resolves with the functions that the copies need: `all`, `run`, what the engines differ in, `settle` and `close`. */
export const openTables = (url) => (url.startsWith('sqlite') ? openSqlite(url) : openPostgres(url));

function openSqlite(url) {
  const db = new Database(url.slice('sqlite:///'.length));
  // A crash meanwhile ruins nothing that anybody needs.
  db.pragma('synchronous = off');
  db.pragma(`cache_size = -${CACHE_KB}`);
  return {
    all: async (text) => db.prepare(text).all(),
    run: async (text) => db.exec(text),
    insertPlan: async (plan, rows) => {
      const insert = db.prepare(`insert into ${plan} (age, id, blob_id) values (?, ?, ?)`);
      for (const row of rows) insert.run(row);
    },
    overriding: '',
    columnsOf: async (table) => db.pragma(`table_info(${table})`).map(({ name }) => name),
    tablesWith: async (column) =>
      db
        .prepare(
          `select m.name from sqlite_master m join pragma_table_info(m.name) c on c.name = ? where m.type = 'table'`,
        )
        .all(column)
        .map(({ name }) => name),
    afterIds: async () => undefined,
    settle: async () => db.pragma('wal_checkpoint(truncate)'),
    close: async () => db.close(),
  };
}

async function openPostgres(url) {
  const client = new pg.Client(url);
  await client.connect();
  await client.query('set synchronous_commit = off');
  // Foreign keys are not looked up for each row: copies refer to what their original referred to, or to each other.
  await client.query('set session_replication_role = replica');
  const all = async (text) => (await client.query(text)).rows;
  const columns = (condition) =>
    all(`select table_name, column_name from information_schema.columns
      where table_schema = current_schema() and ${condition} order by ordinal_position`);
  return {
    all,
    run: (text) => client.query(text),
    insertPlan: (plan, rows) =>
      client.query(
        `insert into ${plan} (age, id, blob_id) select * from unnest($1::bigint[], $2::text[], $3::bigint[])`,
        [0, 1, 2].map((column) => rows.map((row) => row[column])),
      ),
    overriding: 'overriding system value',
    columnsOf: async (table) => (await columns(`table_name = '${table}'`)).map(({ column_name: name }) => name),
    tablesWith: async (column) =>
      (await columns(`column_name = '${column}' and table_name not in (select viewname from pg_views)`)).map(
        ({ table_name: name }) => name,
      ),
    /** Ids that were given out by hand are not given out again. */
    afterIds: (table) => all(`select setval(pg_get_serial_sequence('${table}', 'id'), (select max(id) from ${table}))`),
    // As its own housekeeping would have done long since.
    settle: () => client.query('vacuum (analyze)'),
    close: () => client.end(),
  };
}
