/** Reads what the user named on the command line; whatever cannot be read is his mistake, told with its name. */
import { readFile, stat } from 'node:fs/promises';
import { exitCodes, UserError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';

/** A file, or standard input for `-`. Throws `UserError`. */
export async function readInput(path: string): Promise<Buffer> {
  if (path === '-') return readStream(process.stdin);
  await regularFileSize(path);
  return attempt(path, () => readFile(path));
}

/** The size of a regular file that is not too large to be sent. Throws `UserError`. */
export async function regularFileSize(path: string): Promise<number> {
  const info = await attempt(path, () => stat(path));
  if (!info.isFile()) throw new UserError(`${path} is not a file`, exitCodes.noInput);
  if (info.size > limits.messageBytes) throw tooLarge(path);
  return info.size;
}

async function readStream(stream: AsyncIterable<Buffer | string>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > limits.messageBytes) throw tooLarge('standard input');
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

async function attempt<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(
      code === 'ENOENT' ? `there is no file ${path}` : `cannot read ${path}: ${message}`,
      exitCodes.noInput,
    );
  }
}

function tooLarge(name: string): UserError {
  return new UserError(`${name} is larger than ${limits.messageBytes} bytes`, exitCodes.dataErr);
}
