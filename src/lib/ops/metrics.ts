/**
 * Metrics for a collector such as Prometheus, behind an interface of our own: the only file that knows the library, which is loaded when a
 * daemon starts and by no command.
 */
import { readFileSync } from 'node:fs';
import type { Metric, Registry } from 'prom-client';
import { limits } from '../core/limits.ts';
import { Buckets } from './buckets.ts';

export interface Counter {
  inc(by?: number): void;
}

export interface Histogram {
  observe(value: number): void;
}

/** The series of one metric by the values of its labels. There are never more than `limits.metricSeries`: what is one too many is `other`. */
export interface Family<M> {
  with(...labelValues: readonly string[]): M;
}

/** The value of a series at the moment somebody looks. */
export interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

type Read = () => readonly Sample[] | Promise<readonly Sample[]>;

type Library = typeof import('prom-client');

export class Metrics {
  readonly #library: Library;
  readonly #registry: Registry;

  constructor(library: Library) {
    this.#library = library;
    this.#registry = new library.Registry();
    library.collectDefaultMetrics({ register: this.#registry });
    const info = this.#gauge('koukan_build_info', 'What is running; always 1.', ['version', 'node']);
    info.labels(packageVersion(), process.version).set(1);
  }

  /** Names end in `_total`. Counted here, several times for each message, and handed to the library only when somebody looks. */
  counter(name: string, help: string, labelNames: readonly string[]): Family<Counter> {
    const tallies: { readonly labels: Readonly<Record<string, string>>; value: number }[] = [];
    this.total(name, help, labelNames, () => tallies);
    return family(labelNames, (values) => {
      const tally = { labels: labelled(labelNames, values), value: 0 };
      tallies.push(tally);
      return {
        inc(by = 1) {
          tally.value += by;
        },
      };
    });
  }

  /** Counted here too. */
  histogram(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]): Family<Histogram> {
    const series: { readonly labels: Readonly<Record<string, string>>; readonly buckets: Buckets }[] = [];
    const type = 'histogram';
    const read = () => series.flatMap(({ labels, buckets }) => buckets.samples(name, labels));
    // All that the registry asks of a metric; the library's own do more than is needed with every value.
    const metric = { name, help, type, get: () => Promise.resolve({ name, help, type, values: read() }) };
    this.#registry.registerMetric(metric as unknown as Metric);
    const made = family(labelNames, (values) => {
      const buckets = new Buckets(bounds);
      series.push({ labels: labelled(labelNames, values), buckets });
      return buckets;
    });
    // Without labels there is one series, which is shown from the beginning.
    if (labelNames.length === 0) made.with();
    return made;
  }

  /** A value that goes up and down and is kept elsewhere: `read` is asked each time somebody looks. */
  gauge(name: string, help: string, labelNames: readonly string[], read: Read): void {
    this.#gauge(name, help, labelNames, read);
  }

  /** A number that only grows and is kept elsewhere. */
  total(name: string, help: string, labelNames: readonly string[], read: Read): void {
    new this.#library.Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      async collect() {
        const samples = await read();
        this.reset();
        for (const { labels = {}, value } of samples) this.inc(labels, value);
      },
    });
  }

  /** What there is now, in the text format. */
  async text(): Promise<{ readonly contentType: string; readonly text: string }> {
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #gauge(name: string, help: string, labelNames: readonly string[], read?: Read) {
    return new this.#library.Gauge({
      name,
      help,
      labelNames: [...labelNames],
      registers: [this.#registry],
      ...(read && {
        async collect() {
          const samples = await read();
          this.reset();
          for (const { labels = {}, value } of samples) this.set(labels, value);
        },
      }),
    });
  }
}

export async function createMetrics(): Promise<Metrics> {
  const library = await import('prom-client');
  return new Metrics(library.default);
}

function labelled(names: readonly string[], values: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']));
}

/** Series by the values of their labels, one label after the other, which needs no text made of all of them. */
interface Branch<M> {
  readonly branches: Map<string, Branch<M>>;
  series?: M;
}

/** Looks each series up once. */
function family<M>(labelNames: readonly string[], bind: (values: string[]) => M): Family<M> {
  const known: Branch<M> = { branches: new Map() };
  let size = 0;
  let rest: M | undefined;
  const make = (values: readonly string[]): M => {
    if (size >= limits.metricSeries) {
      rest ??= bind(labelNames.map(() => 'other'));
      return rest;
    }
    size += 1;
    const branch = values.reduce((at, value) => {
      const next: Branch<M> = at.branches.get(value) ?? { branches: new Map() };
      at.branches.set(value, next);
      return next;
    }, known);
    branch.series = bind([...values]);
    return branch.series;
  };
  return {
    with(...values) {
      let branch: Branch<M> | undefined = known;
      for (const value of values) branch = branch?.branches.get(value);
      return branch?.series ?? make(values);
    },
  };
}

function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
