/** What a message of a crash test is, from its id. */
export function isLarge(id: string): boolean;
export function messageOf(id: string): string;
/** What arrived, taken apart: which message it says it is, and whether its body is that of this one. */
export function readMessage(content: string): { readonly id: string | undefined; readonly isWhole: boolean };
