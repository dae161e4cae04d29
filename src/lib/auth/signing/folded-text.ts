/**
 * Text of a field that we fold: as it is sent, and as a signature sees it. Both are made at once, because we know where the folds are; to
 * canonicalise a finished field would be to look for them in each message.
 */
import type { HeaderCanonicalization } from '../dkim/raw-field.ts';

export const FOLD = '\r\n\t';

export interface FoldedText {
  readonly sent: string;
  readonly canonical: string;
}

/** What stands for a fold once the field is canonicalised (RFC 6376 §3.4.1 and §3.4.2). */
export function canonicalFold(how: HeaderCanonicalization): string {
  return how === 'relaxed' ? ' ' : FOLD;
}

/** `sent`: with `FOLD` for a fold, and else no two spaces beside one another, nor one beside a fold. */
export function foldedText(sent: string, how: HeaderCanonicalization): FoldedText {
  return { sent, canonical: sent.replaceAll(FOLD, canonicalFold(how)) };
}
