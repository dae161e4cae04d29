/** On what the figures were measured. */
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';

export function machine() {
  return {
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    memory_mb: Math.round(totalmem() / 1024 / 1024),
    system: `${process.platform} ${release()}`,
    node: process.version,
    commit: commit(),
    date: new Date().toISOString().slice(0, 10),
    load: loadavg()[0],
  };
}

function commit() {
  try {
    const options = { cwd: new URL('.', import.meta.url), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', ['describe', '--always', '--dirty'], options).trim();
  } catch {
    // Not in a clone.
    return undefined;
  }
}
