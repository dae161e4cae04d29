/**
 * The built program as a child process: started as users start it, watched by what it logs, and gone at the end of the test, whatever
 * happened. A process of its group that outlives it fails the test.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, vi } from 'vitest';

/** Processes start slowly on a busy machine; no test waits for a time to pass. */
vi.setConfig({ testTimeout: 90_000 });

export const projectRoot = path.resolve(import.meta.dirname, '../..');
export const koukanBin = path.join(projectRoot, 'bin/koukan.js');

export interface ProcessAsk {
  /** Arguments of `koukan`. */
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input; nothing when absent. */
  readonly input?: string;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Every process that is still running when the test process ends is killed with it. */
const running = new Set<KoukanProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class KoukanProcess {
  /** The command: `router`. */
  readonly name: string;
  readonly exited: Promise<ProcessEnd>;
  readonly #child: ChildProcess;
  readonly #news = new EventEmitter();
  #stdout = '';
  #stderr = '';
  #end: ProcessEnd | undefined;

  private constructor(ask: ProcessAsk) {
    this.name = ask.args[0] ?? '';
    this.#child = spawn(process.execPath, [koukanBin, ...ask.args], {
      cwd: ask.cwd,
      env: { ...process.env, NODE_ENV: 'production', ...ask.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own, so that what it leaves behind can be seen.
      detached: true,
    });
    this.#news.setMaxListeners(0);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#news.emit('news');
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
      this.#news.emit('news');
    });
    // A program that ends before it has read its input closes the pipe.
    this.#child.stdin?.on('error', () => undefined);
    this.#child.stdin?.end(ask.input ?? '');
    running.add(this);
    this.exited = once(this.#child, 'close').then(([code, signal]: unknown[]) => {
      running.delete(this);
      this.#end = { code: code as number | null, signal: signal as NodeJS.Signals | null };
      this.#news.emit('news');
      return this.#end;
    });
  }

  /** Starts it; at the end of the test it is killed, and its log is shown if the test failed. */
  static start(context: TestContext, ask: ProcessAsk): KoukanProcess {
    const child = new KoukanProcess(ask);
    context.onTestFinished(() => child.#endWithTest());
    context.onTestFailed(() => {
      process.stderr.write(`--- koukan ${ask.args.join(' ')}\n${child.output}\n---\n`);
    });
    return child;
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get output(): string {
    return this.#stdout + this.#stderr;
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  /** Resolves once it has said this; rejects when it ends without. */
  async until(text: string | RegExp): Promise<void> {
    const isSaid = (): boolean =>
      typeof text === 'string' ? this.output.includes(text) : new RegExp(text).test(this.output);
    while (!isSaid()) {
      if (this.#end !== undefined) {
        throw new Error(`it ended (${this.#end.code ?? this.#end.signal}) without "${text}":\n${this.output}`);
      }
      await once(this.#news, 'news');
    }
  }

  kill(signal: NodeJS.Signals): void {
    try {
      process.kill(this.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  /** Kills it the hard way and waits until it is gone. */
  async crash(): Promise<void> {
    this.kill('SIGKILL');
    await this.exited;
  }

  /** Asks it to stop; answers how it ended. */
  terminate(): Promise<ProcessEnd> {
    this.kill('SIGTERM');
    return this.exited;
  }

  /** Linux only: memory now, and the most since the last `forgetPeak`. */
  memory(): { readonly nowBytes: number; readonly peakBytes: number } {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    const kilobytes = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]);
    return { nowBytes: kilobytes('VmRSS') * 1024, peakBytes: kilobytes('VmHWM') * 1024 };
  }

  async #endWithTest(): Promise<void> {
    this.kill('SIGKILL');
    await this.exited;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
      throw error;
    }
    throw new Error('a process outlived the one that had started it');
  }
}

/** Runs a command to its end. */
export async function runKoukan(
  context: TestContext,
  ask: ProcessAsk,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  const child = KoukanProcess.start(context, ask);
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}
