/** Samples of stacks, as `perf script` prints them: who was sampled, and the functions it was in, the innermost first. */

/** What has to be printed. Inlined functions of C++ would take minutes to look up, and say nothing of ours. */
export const SCRIPT_ARGS = ['--no-inline', '-F', 'comm,pid,tid,ip,sym,dso'];

const HEAD = /^\S.* +(\d+)\/(\d+)\s*$/;
const FRAME = /^\s+[0-9a-f]+ (?:non-virtual thunk to )?(.*?)(?:\+0x[0-9a-f]+)? \(([^()]*(?: \(deleted\))?)\)$/;

/** `lines` is an iterable of lines, also an asynchronous one. Yields `{ pid, tid, frames: [{ symbol, object }] }`. */
export async function* stacksIn(lines) {
  let sample;
  for await (const line of lines) {
    const head = HEAD.exec(line);
    if (head !== null) {
      if (sample !== undefined) yield sample;
      sample = { pid: Number(head[1]), tid: Number(head[2]), frames: [] };
      continue;
    }
    const frame = FRAME.exec(line);
    if (frame !== null) sample?.frames.push({ symbol: frame[1], object: frame[2] });
  }
  if (sample !== undefined) yield sample;
}
