/** CPU time and memory of processes and of the whole machine, as Linux tells them in /proc. Elsewhere there are no figures. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** USER_HZ, which is 100 on every Linux that Node runs on. */
const MS_PER_TICK = 10;

const tell = (file) => {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // It has ended, or there is no /proc.
    return undefined;
  }
};

/** Fields of /proc/PID/stat from the third on; the second may contain anything. */
function statOf(pid) {
  const text = tell(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The process that started this one. */
export const parentOf = (pid) => Number(statOf(pid)?.[1]);

/** Processes with their children and their children's children. */
export function treeOf(roots) {
  const children = new Map();
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = Number(statOf(pid)?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
  }
  const found = [...roots];
  for (let i = 0; i < found.length; i += 1) found.push(...(children.get(found[i]) ?? []));
  return found;
}

/** CPU milliseconds that all processes and the kernel have used so far. */
export function machineCpuMs() {
  const fields = /^cpu +(.*)$/m.exec(tell('/proc/stat') ?? '')?.[1];
  if (fields === undefined) return undefined;
  const [user, nice, system, , , irq, softirq] = fields.split(' ').map(Number);
  return (user + nice + system + irq + softirq) * MS_PER_TICK;
}

/**
 * Of processes and all their children: CPU milliseconds so far, the sum of the greatest resident sizes in MB (shared pages count for each process), and
 * what they have of memory now, shared pages divided among those who share them.
 */
export function usageOf(roots) {
  if (process.platform !== 'linux' || roots.length === 0) return undefined;
  let ticks = 0;
  let peakRssKb = 0;
  let pssKb = 0;
  for (const pid of treeOf(roots)) {
    const stat = statOf(pid);
    // Its own user and system time, and those of children it has waited for.
    ticks += (stat?.slice(11, 15) ?? []).reduce((sum, field) => sum + Number(field), 0);
    peakRssKb += kilobytes(`/proc/${pid}/status`, 'VmHWM');
    pssKb += kilobytes(`/proc/${pid}/smaps_rollup`, 'Pss');
  }
  return { cpuMs: ticks * MS_PER_TICK, peakRssMb: peakRssKb / 1024, pssMb: pssKb / 1024 };
}

const kilobytes = (file, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(tell(file) ?? '')?.[1] ?? 0);

/** From now on the greatest resident size is that of what comes. */
export function forgetPeaks(roots) {
  if (process.platform !== 'linux') return;
  for (const pid of treeOf(roots)) {
    try {
      writeFileSync(`/proc/${pid}/clear_refs`, '5');
    } catch {
      // It has ended, or is not ours: its peak stays what it is.
    }
  }
}
