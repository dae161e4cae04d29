/** A complete file as a body. */
import { createReadStream } from 'node:fs';
import type { Body } from '../core/body.ts';
import type { ReceivedFile } from './received-file.ts';

export function fileBody(file: ReceivedFile): Body {
  return {
    size: file.length,
    chunks: () => createReadStream(file.path),
    retain: () => () => undefined,
  };
}
