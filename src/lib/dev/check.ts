/** `koukan dev --check`: sends one message each of the four ways, with the very commands a user would type, and sees each arrive. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { systemClock } from '../ops/clock.ts';
import { packageRoot } from './environment.ts';
import { type Flow, flows } from './flows.ts';

const ARRIVAL_MS = 15_000;
const COMMAND_MS = 30_000;
const PLACES: Readonly<Record<Flow['arrivesAt'], string>> = {
  sink: 'the SMTP sink',
  receiver: 'the receiving application',
  parsed: 'the receiving application, as JSON too',
};

export interface FlowResult {
  readonly title: string;
  readonly rcpt: string;
  readonly ok: boolean;
  /** What went wrong, or where it arrived. */
  readonly detail: string;
}

/** Notes what arrived, and lets a flow wait for its own message. */
export class Arrivals {
  readonly #seen = new Set<string>();
  readonly #waiting = new Map<string, () => void>();

  note(place: Flow['arrivesAt'], rcpt: string): void {
    const key = `${place} ${rcpt}`;
    this.#seen.add(key);
    this.#waiting.get(key)?.();
  }

  /** Whether it arrives within the time, or before the signal. */
  async has({ arrivesAt, rcpt }: Flow, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const key = `${arrivesAt} ${rcpt}`;
    if (this.#seen.has(key)) return true;
    const arrived = new AbortController();
    this.#waiting.set(key, () => arrived.abort());
    await systemClock.sleep(timeoutMs, AbortSignal.any([arrived.signal, signal]));
    return this.#seen.has(key);
  }
}

/** Runs the flows one after the other; `onResult` hears of each. Ends early, with nothing running, when the signal aborts. */
export async function checkFlows(
  arrivals: Arrivals,
  signal: AbortSignal,
  onResult: (result: FlowResult) => void,
): Promise<boolean> {
  const examples = path.join(packageRoot, 'examples');
  let isAllOk = true;
  for (const [i, flow] of flows(examples).entries()) {
    if (signal.aborted) return false;
    const named = flows(examples, `check-${i + 1}`)[i] as Flow;
    const result = await checkOne({ ...named, title: flow.title }, arrivals, signal);
    if (signal.aborted) return false;
    isAllOk &&= result.ok;
    onResult(result);
  }
  return isAllOk;
}

async function checkOne(flow: Flow, arrivals: Arrivals, signal: AbortSignal): Promise<FlowResult> {
  const { title, rcpt } = flow;
  const failure = await runCommand(flow, signal);
  if (failure !== undefined) return { title, rcpt, ok: false, detail: failure };
  const ok = await arrivals.has(flow, ARRIVAL_MS, signal);
  const place = PLACES[flow.arrivesAt];
  return {
    title,
    rcpt,
    ok,
    detail: ok ? `arrived at ${place}` : `did not arrive at ${place} within ${ARRIVAL_MS / 1000} s`,
  };
}

/** Runs `koukan …` as a process, to its end; answers what it said when it failed. */
function runCommand(flow: Flow, signal: AbortSignal): Promise<string | undefined> {
  return new Promise((resolve) => {
    const args = [path.join(packageRoot, 'bin/koukan.js'), ...flow.command];
    const onAbort = (): boolean => child.kill();
    const child = execFile(process.execPath, args, { timeout: COMMAND_MS }, (error, stdout, stderr) => {
      signal.removeEventListener('abort', onAbort);
      resolve(
        error === null ? undefined : `the command failed (${error.code ?? error.signal}): ${(stderr || stdout).trim()}`,
      );
    });
    signal.addEventListener('abort', onAbort);
    child.stdin?.end(flow.stdin === undefined ? '' : `${flow.stdin}\n`);
  });
}
