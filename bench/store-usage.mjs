/** What a store holds, and what it takes of the disk: the same question to either engine, while a router uses it. */
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';

const BLOCK_BYTES = 512;
const MB = 1024 * 1024;

/** Its row: `transactions` and `bodies` that are there. */
export const CONTENTS =
  'select (select count(*) from transactions) as transactions, (select count(*) from blobs) as bodies';

/**
 * In MB and counts, as fields of a run. `contents` resolves with that row; `dir` has all files of the store. `accepted`: how many messages it has had,
 * of which each has left a body where `isStored`.
 */
export async function storeUsageOf({ dir, contents, isStored }, accepted) {
  const sizeMb = Math.round((await diskBytes(dir)) / MB);
  if (!isStored) return { store_mb: sizeMb };
  const { bodies } = await contents();
  return { store_mb: sizeMb, bodies_stored: accepted, bodies_collected: accepted - bodies };
}

/** What the files take of the disk, which for a database is less than their length where they have holes, and more for small ones. */
async function diskBytes(dir) {
  const files = await ifThere(readdir(dir, { recursive: true, withFileTypes: true }), []);
  let bytes = 0;
  for (const file of files) {
    if (!file.isFile()) continue;
    const { blocks } = await ifThere(lstat(path.join(file.parentPath, file.name)), { blocks: 0 });
    bytes += blocks * BLOCK_BYTES;
  }
  return bytes;
}

/** Files come and go while they are counted. */
async function ifThere(promise, otherwise) {
  try {
    return await promise;
  } catch (error) {
    if (error.code === 'ENOENT') return otherwise;
    throw error;
  }
}
