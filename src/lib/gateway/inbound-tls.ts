/** The certificate of an SMTP listener, read and checked before the port opens, so that a mistake is found at start and not by the first client. */
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from '../config/router-config.ts';
import { exitCodes, UserError } from '../core/errors.ts';

/** Rejects with a `UserError` that names the file. */
export async function readTls({ cert, key }: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  const [certPem, keyPem] = await Promise.all([readPem(cert), readPem(key)]);
  try {
    createSecureContext({ cert: certPem, key: keyPem });
  } catch (error) {
    throw new UserError(
      `cannot use certificate ${cert} with key ${key}: ${(error as Error).message}`,
      exitCodes.config,
    );
  }
  return { cert: certPem, key: keyPem };
}

async function readPem(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new UserError(`cannot read ${path}: ${(error as Error).message}`, exitCodes.noInput);
  }
}
