/** Brings a database to this program's schema: all missing migrations in one transaction, under a lock, or nothing. */
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { type Migration, newestVersion, readMigrations } from './migrations.ts';
import type { SchemaConnection } from './schema-connection.ts';
import { type StoreUrl, shownUrl } from './url.ts';

export type SchemaState =
  /** No table at all. */
  | { readonly kind: 'empty' }
  | { readonly kind: 'current'; readonly version: number }
  | { readonly kind: 'old'; readonly version: number; readonly newest: number };

export interface MigrationReport {
  /** The database, without its password. */
  readonly database: string;
  /** It held nothing before. */
  readonly created: boolean;
  readonly applied: readonly { readonly version: number; readonly name: string }[];
  readonly version: number;
}

/** Throws `UserError` when the database holds something else, or was written by a newer Koukan. */
export async function schemaState(url: StoreUrl): Promise<SchemaState> {
  const migrations = await readMigrations(url.kind);
  const connection = await openSchema(url, false);
  try {
    return await readState(connection, migrations, url);
  } finally {
    await connection.close();
  }
}

/** `mayCreate`: a database that has no schema yet gets one; else it is refused, because it may be the wrong database. */
export async function migrate(
  url: StoreUrl,
  options: { readonly now: number; readonly mayCreate: boolean },
): Promise<MigrationReport> {
  const migrations = await readMigrations(url.kind);
  const connection = await openSchema(url, options.mayCreate, limits.postgresMigrateMs);
  try {
    await connection.lock();
    const state = await readState(connection, migrations, url);
    if (state.kind === 'empty' && !options.mayCreate) throw noSchema(url);
    const version = state.kind === 'empty' ? 0 : state.version;
    const missing = migrations.filter((migration) => migration.version > version);
    if (state.kind === 'empty') await connection.script(SCHEMA_MIGRATIONS);
    for (const migration of missing) await apply(connection, migration, options.now);
    await connection.sql.run('commit', []);
    const applied = missing.map(({ version: number, name }) => ({ version: number, name }));
    return { database: shownUrl(url), created: state.kind === 'empty', applied, version: newestVersion(migrations) };
  } finally {
    await connection.close();
  }
}

/** What was done, for people. */
export function describeReport(report: MigrationReport): string {
  const { database, created, applied, version } = report;
  if (created) return `${database}: created, schema version ${version}`;
  if (applied.length === 0) return `${database}: nothing to do, schema version ${version}`;
  const names = applied.map((migration) => `${migration.version} ${migration.name}`).join(', ');
  return `${database}: applied ${names}; schema version ${version}`;
}

export function noSchema(url: StoreUrl): UserError {
  return new UserError(
    `the database ${shownUrl(url)} has no Koukan schema yet: run \`koukan db init --url ${shownUrl(url)}\``,
    exitCodes.config,
  );
}

export function oldSchema(url: StoreUrl, state: Extract<SchemaState, { kind: 'old' }>): UserError {
  return new UserError(
    `the schema of ${shownUrl(url)} is version ${state.version} and this Koukan needs ${state.newest}: run \`koukan db migrate --url ${shownUrl(url)}\``,
    exitCodes.config,
  );
}

const SCHEMA_MIGRATIONS = `create table schema_migrations (
  version integer primary key,
  name text not null,
  applied_at bigint not null
);`;

/** The version row goes in first, so that whoever applies the same migration at the same time fails on its key. */
async function apply(connection: SchemaConnection, migration: Migration, now: number): Promise<void> {
  await connection.sql.run('insert into schema_migrations (version, name, applied_at) values (?, ?, ?)', [
    migration.version,
    migration.name,
    now,
  ]);
  await connection.script(migration.sql);
}

async function readState(
  connection: SchemaConnection,
  migrations: readonly Migration[],
  url: StoreUrl,
): Promise<SchemaState> {
  const tables = await connection.tableNames();
  if (tables.length === 0) return { kind: 'empty' };
  if (!tables.includes('schema_migrations')) {
    throw new UserError(
      `${shownUrl(url)} holds tables of something else (${tables.slice(0, 3).join(', ')}): give Koukan a database of its own`,
      exitCodes.config,
    );
  }
  const rows = await connection.sql.all<{ version: number | null }>(
    'select max(version) as version from schema_migrations',
    [],
  );
  const version = rows[0]?.version ?? 0;
  const newest = newestVersion(migrations);
  if (version > newest) {
    throw new UserError(
      `the schema of ${shownUrl(url)} is version ${version} and this Koukan knows only ${newest}: upgrade Koukan`,
      exitCodes.config,
    );
  }
  return version === newest ? { kind: 'current', version } : { kind: 'old', version, newest };
}

/** Loads the driver of the one engine that is asked for. */
async function openSchema(url: StoreUrl, mayCreate: boolean, queryMs?: number): Promise<SchemaConnection> {
  if (url.kind === 'sqlite') {
    const { openSqliteSchema } = await import('./sqlite/schema.ts');
    return openSqliteSchema(url.file, mayCreate);
  }
  const { openPostgresSchema } = await import('./postgres/schema.ts');
  return openPostgresSchema(url.url, url.shown, queryMs);
}
