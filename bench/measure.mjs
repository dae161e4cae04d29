/** One run: `count` messages through the target, then waiting for the sink, then the account. */
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.mjs';
import { newRunId } from './message.mjs';
import { MessageMix } from './message-mix.mjs';
import { machineCpuMs, usageOf } from './process-usage.mjs';
import { percentile, round } from './statistics.mjs';
import { judge } from './tally.mjs';

/** How long duplicates may come late and still count in their run. */
const GRACE_MS = 300;
const LOOK_AGAIN_MS = 10;
/** Each takes the time of grace at least. */
const READY_TRIES = 20;
const READY_PATIENCE_MS = 5_000;

/**
 * `environment` is what is measured, `harness` the sink and the generator. Without an acceptance or a delivery for `patienceMs` the run is given up, and
 * what is missing is lost. Rejects when a process under test ends.
 */
export async function measure(environment, harness, { count, ...load }) {
  const runId = newRunId();
  const { rcpts, patienceMs } = load;
  const { crcs } = new MessageMix(runId, load);
  const { sinkDelayMs: delayMs, sinkRefusedShare: refusedShare } = load;
  await harness.sink.ask('start', { runId, count, rcpts, crcs, delayMs, refusedShare });
  const before = await observe(environment);
  const ask = { ...load, target: environment.target, runId, count };
  const sent = await orEnded(harness.generator.ask('run', ask), environment.ended);
  await untilDelivered(harness.sink, sent.acceptedAt.filter((at) => at > 0).length * rcpts, {
    patienceMs,
    ended: environment.ended,
  });
  const after = await observe(environment);
  await sleep(GRACE_MS);
  const arrived = await harness.sink.ask('report');
  return resultOf(sent, arrived, rcpts, { before, after });
}

/** Resolves when a message gets through, with how many that were: listeners open a little before everything behind them is there. */
export async function untilReady(environment, harness, load) {
  for (let i = 0; i < READY_TRIES; i += 1) {
    const { accepted, refusals } = await measure(environment, harness, {
      ...load,
      patienceMs: READY_PATIENCE_MS,
      count: 1,
    });
    if (accepted > 0) return accepted / load.rcpts;
    if (i === READY_TRIES - 1) throw new Error(`not ready: ${JSON.stringify(refusals)}`);
  }
}

function orEnded(promise, ended) {
  return new Promise((resolve, reject) => {
    const onEnd = () => reject(ended.reason);
    if (ended.aborted) onEnd();
    ended.addEventListener('abort', onEnd, { once: true });
    promise.then(resolve, reject).finally(() => ended.removeEventListener('abort', onEnd));
  });
}

async function untilDelivered(sink, count, { patienceMs, ended }) {
  let seen = -1;
  let progressAt = now();
  while (now() - progressAt < patienceMs) {
    ended.throwIfAborted();
    const delivered = await sink.ask('count');
    if (delivered >= count) return;
    if (delivered !== seen) progressAt = now();
    seen = delivered;
    await sleep(LOOK_AGAIN_MS);
  }
}

async function observe({ pids, storePids, commits }) {
  return {
    at: now(),
    machineMs: machineCpuMs(),
    usage: usageOf(pids),
    storeUsage: usageOf(storePids),
    commits: await commits?.(),
  };
}

function resultOf(sent, arrived, rcpts, observed) {
  const account = judge(sent.acceptedAt, rcpts, arrived);
  return {
    ...speed(sent, arrived, rcpts),
    ...account,
    deferred: sent.deferred,
    refusals: sent.refusals,
    gave_up: sent.hasStalled,
    ...cost(sent.cpuMs + arrived.cpuMs, account.delivered, observed),
  };
}

/** Rates count from the first message begun to the last one accepted or delivered. A message is delivered when the last of its copies is. */
function speed({ startedAt, acceptedAt }, { at }, rcpts) {
  const indexes = [...acceptedAt.keys()];
  const lastAt = indexes.map((i) => lastOf(at.subarray(i * rcpts, (i + 1) * rcpts)));
  const accepted = indexes.filter((i) => acceptedAt[i] > 0);
  const delivered = indexes.filter((i) => lastAt[i] > 0);
  const beganAt = least(startedAt.filter((time) => time > 0));
  const rate = (those, times) =>
    those.length === 0 ? 0 : round((those.length / (greatest(those.map((i) => times[i])) - beganAt)) * 1000);
  const acceptMs = accepted.map((i) => acceptedAt[i] - startedAt[i]);
  const deliverMs = delivered.filter((i) => acceptedAt[i] > 0).map((i) => lastAt[i] - startedAt[i]);
  return {
    accepted_per_s: rate(accepted, acceptedAt),
    delivered_per_s: rate(delivered, lastAt),
    accept_p50_ms: round(percentile(acceptMs, 0.5)),
    accept_p99_ms: round(percentile(acceptMs, 0.99)),
    delivered_p50_ms: round(percentile(deliverMs, 0.5)),
    delivered_p99_ms: round(percentile(deliverMs, 0.99)),
  };
}

const least = (times) => times.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
const greatest = (times) => times.reduce((a, b) => Math.max(a, b), 0);

/** When the last of the copies arrived; 0 when one has not. */
const lastOf = (copies) => (copies.includes(0) ? 0 : greatest(copies));

function cost(harnessMs, delivered, { before, after }) {
  const between = (pick) =>
    pick(before) === undefined || pick(after) === undefined ? undefined : pick(after) - pick(before);
  const each = (value) => (value === undefined ? undefined : value / Math.max(1, delivered));
  const us = (ms) => (ms === undefined ? undefined : Math.round(each(ms) * 1000));
  const targetMs = between(({ usage }) => usage?.cpuMs);
  const storeMs = between(({ storeUsage }) => storeUsage?.cpuMs);
  const machineMs = between((observation) => observation.machineMs);
  const otherMs = targetMs === undefined ? undefined : machineMs - targetMs - (storeMs ?? 0) - harnessMs;
  return {
    cpu_us_per_message: us(targetMs),
    store_cpu_us_per_message: us(storeMs),
    harness_cpu_us_per_message: us(harnessMs),
    // What else ran meanwhile, in cores: figures of a machine that is not alone say little.
    other_cpu_cores: otherMs === undefined ? undefined : round(Math.max(0, otherMs / between(({ at }) => at))),
    peak_rss_mb: round(after.usage?.peakRssMb),
    pss_mb: round(after.usage?.pssMb),
    commits_per_message: round(each(between(({ commits }) => commits))),
  };
}
