/**
 * What the SQLite library made and must not be collected as garbage. Built for Node 24, an object of it (12.x) ends the process when a collection frees
 * it; what is still there when its thread ends is freed in order. A connection lives as long as the process and compiles each statement once, so little
 * is kept: more only while a disk in trouble has the file opened again and again.
 */

const FIRST_NODE = 24;
const isNeeded = Number(process.versions.node.split('.')[0]) >= FIRST_NODE;
const kept: unknown[] = [];

/** Answers what it was given. */
export function keep<T>(made: T): T {
  if (isNeeded) kept.push(made);
  return made;
}
