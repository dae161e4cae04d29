/** A message that cannot be kept now: which errors say so, and what its sender hears. Never a bug, and over some day: the disk, the database. */
import { StoreUnavailableError } from './errors.ts';
import { internalErrorReply } from './precondition.ts';
import { type Response, reply } from './response.ts';

/** RFC 5321 §4.2.3: insufficient system storage. */
export const noSpaceReply: Response = reply(452, '4.3.1', 'no space to store the message now, try again later');
export const notStoredReply: Response = reply(451, '4.3.0', 'the message cannot be stored now, try again later');

/** No space, over quota, and a file that may not grow. */
const NO_SPACE = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** The operating system refused something: a disk, a lack of descriptors, not a bug of ours. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'errno' in error && 'code' in error;
}

export function notStored(error: unknown): Response {
  if (error instanceof StoreUnavailableError) return error.isFull ? noSpaceReply : notStoredReply;
  if (isSystemError(error)) return NO_SPACE.has(error.code ?? '') ? noSpaceReply : notStoredReply;
  return internalErrorReply;
}
