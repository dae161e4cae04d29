import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UserError } from '../../src/lib/core/errors.ts';
import { migrate, schemaState } from '../../src/lib/store/migrate.ts';
import { openStore } from '../../src/lib/store/open.ts';
import { openPostgresSchema } from '../../src/lib/store/postgres/schema.ts';
import { openSqliteSchema } from '../../src/lib/store/sqlite/schema.ts';
import { parseStoreUrl } from '../../src/lib/store/url.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { FakeClock } from '../helpers/fake-clock.ts';
import { memoryLog } from '../helpers/fake-deps.ts';

const clock = new FakeClock(1000);
const open = (url: string, autoMigrate = false) => openStore({ url, clock, log: memoryLog(), autoMigrate });
const failure = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined).catch((error) => error);

/** Changes a schema behind the store's back. */
async function tamper(url: string, statements: string): Promise<void> {
  const parsed = parseStoreUrl(url);
  const connection =
    parsed.kind === 'sqlite'
      ? await openSqliteSchema(parsed.file, true)
      : await openPostgresSchema(parsed.url, parsed.shown);
  await connection.script(statements);
  await connection.close();
}

describe.each(databases)('the schema on $name', (kind) => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await kind.create();
  });

  afterEach(() => database.drop());

  it('is made once, and making it again does nothing', async () => {
    const url = parseStoreUrl(database.url);
    const first = await migrate(url, { now: 1000, mayCreate: true });
    expect(first).toMatchObject({
      created: true,
      applied: [
        { version: 1, name: 'initial' },
        { version: 2, name: 'operations' },
        { version: 3, name: 'speed_and_safety' },
        { version: 4, name: 'fewer_pages' },
        { version: 5, name: 'first_attempt' },
      ],
    });
    const again = await migrate(url, { now: 2000, mayCreate: true });
    expect(again).toEqual({ ...first, created: false, applied: [] });
    expect(await schemaState(url)).toEqual({ kind: 'current', version: first.version });
  });

  it('is made once by many at the same time', async () => {
    const url = parseStoreUrl(database.url);
    const reports = await Promise.all(Array.from({ length: 4 }, () => migrate(url, { now: 1000, mayCreate: true })));
    expect(reports.filter(({ created }) => created)).toHaveLength(1);
  });

  it('of a newer Koukan is refused', async () => {
    await (await open(database.url, true)).close();
    await tamper(database.url, "insert into schema_migrations (version, name, applied_at) values (999, 'future', 1)");
    for (const autoMigrate of [false, true]) {
      const error = await failure(open(database.url, autoMigrate));
      expect(error).toBeInstanceOf(UserError);
      expect(error).toMatchObject({ exitCode: 78, message: expect.stringContaining('upgrade Koukan') });
    }
  });

  const makeOld = (): Promise<void> =>
    tamper(
      database.url,
      'create table schema_migrations (version integer primary key, name text not null, applied_at bigint not null)',
    );

  // Others may be at work on it.
  if (kind.name === 'postgres')
    it('that is old is refused with the command that helps', async () => {
      await makeOld();
      const error = await failure(open(database.url));
      expect(error).toMatchObject({ exitCode: 78, message: expect.stringContaining('koukan db migrate --url ') });
      await (await open(database.url, true)).close();
      await (await open(database.url)).close();
    });
  else
    it('that is old is brought up to date, whether or not that was asked for', async () => {
      await makeOld();
      await (await open(database.url)).close();
      expect(await schemaState(parseStoreUrl(database.url))).toEqual({ kind: 'current', version: 5 });
    });

  it('is not put into a database that holds something else', async () => {
    await tamper(database.url, 'create table accounts (id integer)');
    const error = await failure(open(database.url, true));
    expect(error).toMatchObject({ exitCode: 78, message: expect.stringContaining('accounts') });
  });

  it('is left as it was when a migration fails', async () => {
    const url = parseStoreUrl(database.url);
    await tamper(
      database.url,
      `create table schema_migrations (version integer primary key, name text not null, applied_at bigint not null);
       create table blobs (id integer);`,
    );
    await expect(migrate(url, { now: 1000, mayCreate: true })).rejects.toThrow(/blobs/);
    expect(await schemaState(url)).toMatchObject({ kind: 'old', version: 0 });
  });

  it('is made and reported by koukan db init, and brought up to date by koukan db migrate', async () => {
    const koukan = (...args: string[]) =>
      execa(process.execPath, ['bin/koukan.js', 'db', ...args, '--url', database.url], { reject: false });
    const premature = await koukan('migrate');
    expect(premature.exitCode).not.toBe(0);
    expect(premature.stderr).toContain('db init');
    const first = await koukan('init', '--json');
    expect(first.exitCode).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ created: true, version: 5 });
    const again = await koukan('init');
    expect(again).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing to do, schema version 5') });
    const migrated = await koukan('migrate');
    expect(migrated).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('nothing to do') });
    expect(first.stdout + again.stdout + premature.stderr).not.toContain(':test@');
  });
});

describe('opening a store', () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'koukan-open-'));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('makes a SQLite file that only its owner can read', async () => {
    const file = join(folder, 'mail.sqlite');
    await (await open(`sqlite:///${file}`)).close();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it('says which folder is missing, and which file is no database', async () => {
    const missing = await failure(open(`sqlite:///${folder}/nope/mail.sqlite`));
    expect(missing).toMatchObject({ exitCode: 73, message: expect.stringContaining('nope does not exist') });
    const file = join(folder, 'letter.txt');
    await writeFile(file, 'Dear Sir or Madam, '.repeat(100));
    await chmod(file, 0o600);
    expect(await failure(open(`sqlite:///${file}`))).toMatchObject({
      exitCode: 73,
      message: expect.stringContaining('not a database'),
    });
  });

  it('says which PostgreSQL cannot be reached, without its password', async () => {
    const error = await failure(open('postgresql://koukan:secret@127.0.0.1:1/mail'));
    expect(error).toMatchObject({ exitCode: 69, message: expect.stringContaining('koukan@127.0.0.1:1/mail') });
    expect(String(error)).not.toContain('secret');
  });

  it('tells the user of an empty PostgreSQL database to run koukan db init', async () => {
    const database = await databases[1]?.create();
    try {
      const error = await failure(open(database?.url ?? ''));
      expect(error).toMatchObject({
        exitCode: 78,
        message: expect.stringContaining('koukan db init --url postgresql://'),
      });
    } finally {
      await database?.drop();
    }
  });
});

describe('storage URLs', () => {
  it.each([
    ['sqlite:///mail.sqlite', { kind: 'sqlite', file: 'mail.sqlite' }],
    ['sqlite:////var/lib/mail.sqlite', { kind: 'sqlite', file: '/var/lib/mail.sqlite' }],
    ['sqlite+pysqlite:////var/lib/mail.sqlite', { kind: 'sqlite', file: '/var/lib/mail.sqlite' }],
    ['postgresql://u@h/d', { kind: 'postgres', url: 'postgresql://u@h/d', shown: 'postgresql://u@h/d' }],
    ['postgres://u@h/d', { kind: 'postgres', url: 'postgresql://u@h/d', shown: 'postgresql://u@h/d' }],
    [
      'postgresql+psycopg://u:p@h:5433/d?sslmode=require',
      { kind: 'postgres', url: 'postgresql://u:p@h:5433/d?sslmode=require', shown: 'postgresql://u@h:5433/d' },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseStoreUrl(text)).toEqual(expected);
  });

  it.each([
    'mysql://h/d',
    'mail.sqlite',
    '',
    'sqlite://',
    'sqlite:///',
    'sqlite:///:memory:',
    'sqlite:mail.sqlite',
    'sqlite:///mail.sqlite?mode=ro',
    'postgresql:',
    'postgresql://[',
  ])('refuses "%s" as a configuration error that shows the forms', (text) => {
    expect(() => parseStoreUrl(text)).toThrow(UserError);
    expect(() => parseStoreUrl(text)).toThrow('sqlite:////absolute/path.sqlite');
  });
});
