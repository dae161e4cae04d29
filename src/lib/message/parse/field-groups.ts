/** Reads content that is nothing but header fields: one block, or in a delivery status one for the message and one for each recipient. */
import type { HeaderField } from '../headers.ts';
import { parseHeaders } from '../headers.ts';

/** A report about more recipients than a message can have says nothing that anybody reads. */
const GROUPS_MAX = 1000;

/** The blocks between blank lines; those without any field are left out. */
export function fieldGroups(bytes: Buffer): readonly (readonly HeaderField[])[] {
  const groups: (readonly HeaderField[])[] = [];
  for (const block of bytes.toString('latin1').split(/(?<=\n)\r?\n/)) {
    const fields = parseHeaders(Buffer.from(block, 'latin1'));
    if (fields.length > 0 && groups.length < GROUPS_MAX) groups.push(fields);
  }
  return groups;
}
