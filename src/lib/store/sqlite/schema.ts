/** A SQLite file opened to look at its schema or to change it. */
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { exitCodes, UserError } from '../../core/errors.ts';
import type { SchemaConnection } from '../migrate.ts';
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
  try {
    return openWriter(file, !mayCreate);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UserError(`cannot open the database ${file}: ${why}`, exitCodes.cantCreate);
  }
}
