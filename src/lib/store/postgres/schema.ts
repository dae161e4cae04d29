/** A connection to PostgreSQL to look at the schema or to change it. */
import pg from 'pg';
import { exitCodes, UserError } from '../../core/errors.ts';
import { limits } from '../../core/limits.ts';
import type { SchemaConnection } from '../schema-connection.ts';
import { connectionConfig, postgresSql } from './connection.ts';

/** Any number will do, as long as it is always the same: it is what migrators of one database wait for each other on. */
const ADVISORY_LOCK = 4_915_563_221;

/** `queryMs`: how long a statement may take. */
export async function openPostgresSchema(
  url: string,
  shown: string,
  queryMs: number = limits.postgresQueryMs,
): Promise<SchemaConnection> {
  const client = new pg.Client(connectionConfig(url, queryMs));
  client.on('error', () => undefined);
  try {
    await client.connect();
  } catch (error) {
    const why = error instanceof Error ? error.message || error.name : String(error);
    throw new UserError(`cannot connect to ${shown}: ${why}`, exitCodes.unavailable);
  }
  const sql = postgresSql(client);
  return {
    sql,
    lock: async () => {
      await sql.run('begin', []);
      await sql.all('select pg_advisory_xact_lock(?)', [ADVISORY_LOCK]);
    },
    script: async (text) => {
      await client.query(text);
    },
    tableNames: async () => {
      const rows = await sql.all<{ name: string }>(
        'select tablename as name from pg_catalog.pg_tables where schemaname = current_schema() order by tablename',
        [],
      );
      return rows.map(({ name }) => name);
    },
    close: () => client.end(),
  };
}
