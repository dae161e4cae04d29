/** Text that came from elsewhere, for a terminal: on one line, and with nothing that a terminal would take for an order. */

export function plainText(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ');
}

/** `2026-01-01 10:20:30Z`, in UTC like the logs. */
export function shortTime(iso: string | undefined): string {
  return iso === undefined ? '-' : `${iso.slice(0, 19).replace('T', ' ')}Z`;
}

/** `450 4.2.0 try later`. */
export function replyText(
  reply: { readonly code: number; readonly message?: string | undefined } | null | undefined,
): string {
  if (reply === undefined || reply === null) return '-';
  return plainText(`${reply.code} ${(reply.message ?? '').replaceAll('\n', ' / ')}`.trimEnd());
}

/** Columns as wide as what is in them; the last one is as long as it is. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows];
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) => line.map((cell, i) => (i === line.length - 1 ? cell : cell.padEnd(widths[i] ?? 0))).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
