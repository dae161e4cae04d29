/** A SQLite file opened to look at its schema or to change it. */
import { closeSync, existsSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCodes, UserError } from '../../core/errors.ts';
import type { SchemaConnection } from '../schema-connection.ts';
import { openWriter, type SqliteDatabase, sqliteSql } from './connection.ts';

export async function openSqliteSchema(file: string, mayCreate: boolean): Promise<SchemaConnection> {
  const db = openFile(file, mayCreate);
  const sql = sqliteSql(db);
  return {
    sql,
    lock: async () => {
      await sql.run('begin immediate', []);
    },
    script: async (text) => {
      db.exec(text);
    },
    tableNames: async () => {
      const rows = await sql.all<{ name: string }>(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name",
        [],
      );
      return rows.map(({ name }) => name);
    },
    close: async () => {
      // What was not committed is rolled back.
      db.close();
    },
  };
}

function openFile(file: string, mayCreate: boolean): SqliteDatabase {
  const folder = dirname(file);
  if (!existsSync(folder)) {
    throw new UserError(`cannot open the database ${file}: the folder ${folder} does not exist`, exitCodes.cantCreate);
  }
  if (!mayCreate && !existsSync(file)) {
    throw new UserError(
      `the database ${file} does not exist: run \`koukan db init --url sqlite:///${file}\``,
      exitCodes.noInput,
    );
  }
  try {
    // It will hold other people's mail. SQLite gives its side files the same mode.
    if (mayCreate) closeSync(openSync(file, 'a', 0o600));
    return openWriter(file, !mayCreate);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(`cannot open the database ${file}: ${why}`, exitCodes.cantCreate);
  }
}
