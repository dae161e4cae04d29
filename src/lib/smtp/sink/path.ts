/** Reads `<address> KEY=value …` as a tolerant server does: a sink is no judge of addresses. */
import type { EsmtpParam, Mailbox } from '../../core/mailbox.ts';

const PATH = /^\s*<((?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(?:\s+(.*))?$/;

export function parsePath(text: string): Mailbox | undefined {
  const match = PATH.exec(text);
  if (match === null) return undefined;
  const words = (match[2] ?? '').split(' ').filter((word) => word !== '');
  const params = words.map((word): EsmtpParam => {
    const equals = word.indexOf('=');
    return equals === -1 ? { keyword: word } : { keyword: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { address: match[1] ?? '', params };
}
