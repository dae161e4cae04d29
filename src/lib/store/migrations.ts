/** The numbered SQL files of one engine, in order. Forward only: a file that was released is never changed. */
import { readdir, readFile } from 'node:fs/promises';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** `sql/` lies beside `src/` and `dist/`, so the way to it is the same from the source and from the compiled file. */
const ROOT = new URL('../../../sql/', import.meta.url);

const FILE_NAME = /^(\d{6})_([a-z0-9_]+)\.sql$/;

export async function readMigrations(engine: 'sqlite' | 'postgres'): Promise<readonly Migration[]> {
  const folder = new URL(`${engine}/`, ROOT);
  const names = (await readdir(folder)).filter((name) => FILE_NAME.test(name)).sort();
  return Promise.all(
    names.map(async (fileName) => {
      const [, version, name] = FILE_NAME.exec(fileName) as unknown as [string, string, string];
      return { version: Number(version), name, sql: await readFile(new URL(fileName, folder), 'utf8') };
    }),
  );
}

export function newestVersion(migrations: readonly Migration[]): number {
  return migrations.at(-1)?.version ?? 0;
}
