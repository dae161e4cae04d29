/** Values counted by size, in memory that is there already: it is done for every message, and looked at a few times a minute. */

/** One line of what a collector reads. */
export interface BucketSample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export class Buckets {
  readonly #bounds: readonly number[];
  /** How many values there were up to each bound and over the one before it; those over all bounds; the sum of all. */
  readonly #cells: Float64Array;

  /** `bounds` grow. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#cells = new Float64Array(bounds.length + 2);
  }

  observe(value: number): void {
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] as number)) at += 1;
    this.#add(at, 1);
    this.#add(this.#bounds.length + 1, value);
  }

  /** As Prometheus wants them: each bucket with all that is smaller, then sum and count. */
  samples(name: string, labels: Readonly<Record<string, string>>): BucketSample[] {
    let count = 0;
    const bounds = [...this.#bounds, '+Inf'];
    const buckets = bounds.map((le, at) => {
      count += this.#cells[at] ?? 0;
      return { metricName: `${name}_bucket`, labels: { le, ...labels }, value: count };
    });
    const sum = this.#cells[bounds.length] ?? 0;
    return [
      ...buckets,
      { metricName: `${name}_sum`, labels, value: sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }

  #add(cell: number, by: number): void {
    this.#cells[cell] = (this.#cells[cell] ?? 0) + by;
  }
}
