/**
 * The far end: Koukan's own sink as a process of its own, which checks every message against the run and keeps none. Its parent asks it over IPC to
 * `listen`, to `start` a run, for the `count` so far, and for the `report`.
 */
import { startSink } from '../dist/lib/smtp/sink/sink.js';
import { answerParent } from './child.mjs';
import { now } from './clock.mjs';
import { numberInMessage, numberOf } from './message.mjs';
import { Tally } from './tally.mjs';

/** Of the present run. */
let tally;
let cpuAtStart;

function onMessage({ rcptTo, body }) {
  const at = now();
  if (tally === undefined) return;
  const { number: contentNumber, crc } = numberInMessage(body, tally.runId);
  for (const { address } of rcptTo) {
    tally.deliver({ rcptNumber: numberOf(address, tally.runId), contentNumber, crc, at });
  }
}

answerParent({
  /** Resolves with the port. */
  listen: async ({ port }) => (await startSink({ port, keep: 0, onMessage })).port,
  start: (run) => {
    tally = new Tally(run);
    cpuAtStart = process.cpuUsage();
  },
  count: () => tally.unique,
  report: () => {
    const { user, system } = process.cpuUsage(cpuAtStart);
    return { ...tally.report(), cpuMs: (user + system) / 1000 };
  },
});
