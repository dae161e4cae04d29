/** What is measured, by which names: the meters of each part of a process, and what is read from them when a collector looks. */
import type { Admission, Door, Refusal } from '../core/admission.ts';
import type { Clock } from '../core/deps.ts';
import type { RouterMeter, SmtpMeter, StoreMeter } from '../core/meters.ts';
import { isOk, isTemporary, type Response } from '../core/response.ts';
import type { Gateway } from '../gateway/gateway.ts';
import type { RestObservers } from '../http/observers.ts';
import { LogOutput } from '../ops/log-output.ts';
import type { Metrics, Sample } from '../ops/metrics.ts';
import type { ShortNaps } from '../ops/short-naps.ts';
import type { Router } from '../router/router.ts';
import type { Spool } from '../spool/spool.ts';
import type { Store } from '../store/store.ts';
import { DepthGauge } from './depth-gauge.ts';

/** Seconds. */
const COMMIT_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5];
const REQUEST_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 30];
const ATTEMPT_BUCKETS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300];
const BATCH_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 512];

const one = (value: number): readonly Sample[] => [{ value }];

/** One for each half of a process that speaks REST, told apart by the label `part`. */
export function restObservers(metrics: Metrics): (part: 'router' | 'gateway') => RestObservers {
  const labels = ['part', 'method', 'route', 'status'];
  const requests = metrics.counter('koukan_http_requests_total', 'REST requests answered.', labels);
  const durations = metrics.histogram(
    'koukan_http_request_duration_seconds',
    'From the request to its answer; a GET of a transaction may wait for news.',
    ['part', 'method', 'route'],
    REQUEST_BUCKETS,
  );
  return (part) => ({
    metrics: () => metrics.text(),
    hooks: {
      onAnswer: ({ method, route = 'none', status, durationMs }) => {
        requests.with(part, method, route, String(status)).inc();
        durations.with(part, method, route).observe(durationMs / 1000);
      },
    },
  });
}

export function routerMeter(metrics: Metrics): RouterMeter {
  const transactions = metrics.counter(
    'koukan_transactions_total',
    'accepted: stored, ours to deliver or to report. deferred: an attempt that will be followed by another. uncertain: may have been ' +
      'delivered, somebody has to decide. The others: how they ended.',
    ['sender', 'event'],
  );
  const attempts = metrics.counter('koukan_attempts_total', 'Delivery attempts by how they ended.', [
    'outcome',
    'code',
  ]);
  const durations = metrics.histogram(
    'koukan_attempt_duration_seconds',
    'From the start of an attempt to its end.',
    ['outcome'],
    ATTEMPT_BUCKETS,
  );
  const doubts = metrics.counter(
    'koukan_uncertain_total',
    'The final dot was sent and the reply never came, for a crash or for want of a reply; policy: what was done about it.',
    ['sender', 'cause', 'policy'],
  );
  return {
    uncertain: (sender, cause, policy) => doubts.with(sender, cause, policy).inc(),
    accepted: (sender) => transactions.with(sender, 'accepted').inc(),
    attempt({ sender, outcome, reply, durationMs }) {
      transactions.with(sender, outcome).inc();
      attempts.with(outcome, codeClass(reply)).inc();
      durations.with(outcome).observe(durationMs / 1000);
    },
  };
}

function codeClass(reply: Response | undefined): string {
  if (reply === undefined) return 'none';
  return isOk(reply) ? '2xx' : isTemporary(reply) ? '4xx' : '5xx';
}

export function storeMeter(metrics: Metrics): StoreMeter {
  const sizes = metrics.histogram('koukan_store_batch_writes', 'Writes that shared a commit.', [], BATCH_BUCKETS);
  const durations = metrics.histogram('koukan_store_commit_duration_seconds', 'One commit.', [], COMMIT_BUCKETS);
  return {
    batch(operations, durationMs) {
      sizes.with().observe(operations);
      durations.with().observe(durationMs / 1000);
    },
  };
}

export function smtpMeter(metrics: Metrics): SmtpMeter {
  const sessions = metrics.counter('koukan_smtp_sessions_total', 'SMTP sessions begun.', []);
  const commands = metrics.counter('koukan_smtp_commands_total', 'SMTP commands received.', ['command']);
  const replies = metrics.counter('koukan_smtp_replies_total', 'SMTP replies given.', ['code']);
  let open = 0;
  metrics.gauge('koukan_smtp_sessions_open', 'SMTP sessions now.', [], () => one(open));
  return {
    sessionBegun() {
      open += 1;
      sessions.with().inc();
    },
    sessionEnded() {
      open -= 1;
    },
    command: (verb) => commands.with(verb).inc(),
    reply: (code) => replies.with(`${Math.floor(code / 100)}xx`).inc(),
  };
}

/** Who was sent away, where and why. */
export function refusals(metrics: Metrics): (door: Door, why: Refusal) => void {
  const refused = metrics.counter('koukan_refused_total', 'Refused for now, because there was too much to do.', [
    'door',
    'why',
  ]);
  return (door, why) => refused.with(door, why).inc();
}

export function watchNaps(metrics: Metrics, naps: ShortNaps): void {
  metrics.gauge('koukan_loop_kept_awake', '1 while a busy conversation keeps the event loop from short naps.', [], () =>
    one(naps.isAwake ? 1 : 0),
  );
}

/** 1 while the process takes on nothing new. */
export function watchAdmission(metrics: Metrics, admission: Admission): void {
  metrics.gauge('koukan_overloaded', '1 while nothing new is taken.', [], () =>
    one(admission.overload === undefined ? 0 : 1),
  );
}

/** What a router and its store are asked when somebody looks. */
export function watchRouter(metrics: Metrics, router: Router, store: Store, clock: Clock): void {
  metrics.gauge('koukan_attempt_slots_used', 'Delivery attempts under way.', [], () => one(router.load.slots.used));
  metrics.gauge('koukan_attempt_slots', 'Attempts that may be under way.', [], () => one(router.load.slots.limit));
  metrics.gauge('koukan_conversations', 'Conversations in memory at the router.', [], () =>
    one(router.load.conversations),
  );
  const depth = new DepthGauge(store, clock);
  metrics.gauge('koukan_queue_transactions', 'Transactions in the store that have not ended.', ['state'], () =>
    depth.byState(),
  );
  metrics.gauge('koukan_queue_oldest_due_seconds', 'For how long the one that is due longest has been due.', [], () =>
    depth.oldestDue(),
  );
  metrics.total('koukan_store_commits_total', 'Commits.', [], () => one(store.stats.commits));
  metrics.total('koukan_store_promises_total', 'Writes that somebody waited for.', [], () => one(store.stats.promises));
  metrics.gauge('koukan_store_waiting_writes', 'Writes that wait for a commit.', [], () => one(store.stats.waiting));
  metrics.gauge('koukan_store_history_backlog', 'History rows that wait for a commit.', [], () =>
    one(store.stats.historyBacklog),
  );
  metrics.gauge(
    'koukan_store_failing',
    '1 when the newest commit failed, or the disk has too little room for new messages.',
    [],
    () => one(store.stats.isFailing ? 1 : 0),
  );
}

export function watchGateway(metrics: Metrics, gateway: Gateway): void {
  metrics.gauge('koukan_gateway_conversations', 'Conversations in memory at the gateway.', [], () =>
    one(gateway.load.conversations),
  );
  metrics.gauge('koukan_smtp_connections', 'Connections to destinations.', ['state'], () => {
    const { connections, idle, waiting } = gateway.load.connections;
    return [
      { labels: { state: 'busy' }, value: connections - idle },
      { labels: { state: 'idle' }, value: idle },
      { labels: { state: 'awaited' }, value: waiting },
    ];
  });
  metrics.total('koukan_smtp_connections_opened_total', 'Connections opened to destinations.', [], () =>
    one(gateway.load.connections.opened),
  );
  metrics.total('koukan_smtp_connections_reused_total', 'Transactions on a connection that was open.', [], () =>
    one(gateway.load.connections.reused),
  );
}

export function watchLog(metrics: Metrics): void {
  metrics.total('koukan_log_lines_lost_total', 'Lines of the log that could neither be written nor kept.', [], () =>
    one(LogOutput.linesLost),
  );
}

export function watchSpool(metrics: Metrics, spool: Spool): void {
  metrics.gauge('koukan_spool_bytes', 'Messages that wait in files, not in memory.', [], () => one(spool.sizeBytes));
}
