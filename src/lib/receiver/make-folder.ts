/**
 * Makes a folder and those above it. Not with `recursive` of the platform: where a file system says ENOENT of a folder whose parent is there
 * (`/proc` does), that goes round for ever.
 */
import { mkdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** Rejects with the error of the system when it cannot be made. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' && (await stat(folder)).isDirectory()) return;
    const parent = path.dirname(path.resolve(folder));
    if (code !== 'ENOENT' || parent === path.resolve(folder)) throw error;
    await makeFolder(parent);
    await mkdir(folder);
  }
}
