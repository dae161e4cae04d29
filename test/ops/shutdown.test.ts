/** Signals to a real process: the orderly end, the impatient end, and the deadline. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, it } from 'vitest';

const lib = new URL('../../dist/lib/ops/', import.meta.url).href;
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** A daemon whose orderly stop is `stop`, an expression of JavaScript; its log and what it says come out as lines, `ready` first. */
function daemon(stop: string, deadlineMs: number, graceMs = 20) {
  const code = `
    import { onShutdown } from '${lib}shutdown.js';
    import { systemClock as clock } from '${lib}clock.js';
    import { createLog } from '${lib}log.js';
    const log = createLog({ level: 'info', format: 'text', destination: 'stdout' });
    const keepAlive = setInterval(() => undefined, 1000);
    onShutdown(${stop}, { clock, log, deadlineMs: ${deadlineMs}, graceMs: ${graceMs} });
    console.log('ready');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const exited = once(child, 'exit').then(([exitCode]) => exitCode as number | null);
  const said: string[] = [];
  const lines = createInterface(child.stdout).on('line', (line) => said.push(line));
  const until = async (text: string): Promise<void> => {
    while (!said.some((line) => line.includes(text))) await once(lines, 'line');
  };
  return { child, exited, said, until };
}

describe('onShutdown', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('on %s stops in order and exits 0', async (signal) => {
    const { child, exited, said, until } = daemon("async () => { console.log('all stopped'); }", 20_000);
    await until('ready');
    child.kill(signal);
    expect(await exited).toBe(0);
    expect(said.at(-1)).toBe('all stopped');
  });

  it('tells a stop that takes too long to hurry, and lets it give back what it holds', async () => {
    const stop = `async (deadline) => {
      await new Promise((resolve) => deadline.addEventListener('abort', resolve));
      await clock.sleep(20);
      console.log('leases released');
    }`;
    const { child, exited, said, until } = daemon(stop, 20, 60_000);
    await until('ready');
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
    expect(said.at(-1)).toBe('leases released');
  });

  it('exits 1 when the stop does not end even in a hurry', async () => {
    const stop = "(deadline) => new Promise(() => deadline.addEventListener('abort', () => console.log('hurried')))";
    const { child, exited, said, until } = daemon(stop, 20);
    await until('ready');
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(said).toContain('hurried');
    expect(said.at(-1)).toContain('ending with work left');
  });

  it('ends at once on a second signal', async () => {
    const { child, exited, until } = daemon('() => new Promise(() => undefined)', 60_000);
    await until('ready');
    child.kill('SIGINT');
    await until('stopping');
    child.kill('SIGINT');
    expect(await exited).toBe(1);
  });

  it('exits 1 and says why when the stop fails', async () => {
    const { child, exited, said, until } = daemon("async () => { throw new Error('disk gone'); }", 60_000);
    await until('ready');
    child.kill('SIGTERM');
    expect(await exited).toBe(1);
    expect(said.join('\n')).toContain('disk gone');
  });
});
