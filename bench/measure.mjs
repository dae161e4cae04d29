/** One run: `count` messages through the target, then waiting for the sink, then the account. */
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.mjs';
import { MessageKind, newRunId } from './message.mjs';
import { usageOf } from './process-usage.mjs';
import { percentile, round } from './statistics.mjs';
import { judge } from './tally.mjs';

/** How long duplicates may come late and still count in their run. */
const GRACE_MS = 300;
const LOOK_AGAIN_MS = 10;
/** Each takes the time of grace. */
const READY_TRIES = 50;

/**
 * `environment` is what is measured, `harness` the sink and the generator. Without an acceptance or a delivery for `patienceMs` the run is given up, and
 * what is missing is lost. Rejects when a process under test ends.
 */
export async function measure(environment, harness, { count, sizeBytes, sessions, patienceMs }) {
  const runId = newRunId();
  const { crc } = new MessageKind(runId, sizeBytes);
  await harness.sink.ask('start', { runId, count, crc });
  const before = await observe(environment);
  const ask = { target: environment.target, runId, sizeBytes, count, sessions, patienceMs };
  const sent = await orEnded(harness.generator.ask('run', ask), environment.ended);
  await untilDelivered(harness.sink, sent.acceptedAt.filter((at) => at > 0).length, {
    patienceMs,
    ended: environment.ended,
  });
  const after = await observe(environment);
  await sleep(GRACE_MS);
  const arrived = await harness.sink.ask('report');
  return resultOf(sent, arrived, { before, after, count });
}

/** Resolves when a message gets through: listeners open a little before everything behind them is there. */
export async function untilReady(environment, harness, load) {
  for (let i = 0; i < READY_TRIES; i += 1) {
    const { accepted, refusals } = await measure(environment, harness, { ...load, count: 1 });
    if (accepted === 1) return;
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
  return { usage: usageOf(pids), storeUsage: usageOf(storePids), commits: await commits?.() };
}

function resultOf(sent, arrived, { before, after, count }) {
  const account = judge(sent.acceptedAt, arrived);
  const { startedAt, acceptedAt } = sent;
  const beganAt = startedAt.filter((at) => at > 0).reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const rate = (number, times) => round((number / (times.reduce((a, b) => Math.max(a, b), 0) - beganAt)) * 1000);
  const accepted = [...acceptedAt.keys()].filter((i) => acceptedAt[i] > 0);
  const acceptMs = accepted.map((i) => acceptedAt[i] - startedAt[i]);
  const deliverMs = accepted.filter((i) => arrived.at[i] > 0).map((i) => arrived.at[i] - startedAt[i]);
  const each = (later, earlier) =>
    later === undefined || earlier === undefined ? undefined : (later - earlier) / Math.max(1, account.delivered);
  const us = (ms) => (ms === undefined ? undefined : Math.round(ms * 1000));
  return {
    accepted_per_s: account.accepted > 0 ? rate(account.accepted, acceptedAt) : 0,
    delivered_per_s: account.delivered > 0 ? rate(account.delivered, arrived.at) : 0,
    accept_p50_ms: round(percentile(acceptMs, 0.5)),
    accept_p99_ms: round(percentile(acceptMs, 0.99)),
    delivered_p50_ms: round(percentile(deliverMs, 0.5)),
    delivered_p99_ms: round(percentile(deliverMs, 0.99)),
    ...account,
    refusals: sent.refusals,
    gave_up: sent.hasStalled,
    cpu_us_per_message: us(each(after.usage?.cpuMs, before.usage?.cpuMs)),
    store_cpu_us_per_message: us(each(after.storeUsage?.cpuMs, before.storeUsage?.cpuMs)),
    harness_cpu_us_per_message: us((sent.cpuMs + arrived.cpuMs) / count),
    peak_rss_mb: round(after.usage?.peakRssMb),
    commits_per_message: round(each(after.commits, before.commits)),
  };
}
