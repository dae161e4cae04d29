/** What code of a plugin threw, in one line for people: anything can be thrown, and saying so must not throw again. */
import { inspect } from 'node:util';

const LONGEST = 300;

/** `TypeError: x is not a function (at /etc/koukan/plugins/hello.js:3:5)`. */
export function thrownWords(thrown: unknown): string {
  const place = thrownPlace(thrown);
  return place === undefined ? thrownText(thrown) : `${thrownText(thrown)} (at ${place})`;
}

/** Without the place. */
export function thrownText(thrown: unknown): string {
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : inspect(thrown, { depth: 1 });
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST)}…` : line;
}

/** `file:line:col` of the innermost frame that is a file and no part of the runtime. */
export function thrownPlace(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || typeof thrown.stack !== 'string') return undefined;
  for (const line of thrown.stack.split('\n')) {
    const found = /^\s+at .*?(?:file:\/\/)?(\/[^()]+?):(\d+):(\d+)\)?$/.exec(line);
    if (found !== null) return `${decoded(found[1] ?? '')}:${found[2]}:${found[3]}`;
  }
  return undefined;
}

function decoded(path: string): string {
  try {
    return decodeURI(path);
  } catch {
    // A file whose name only looks encoded.
    return path;
  }
}
