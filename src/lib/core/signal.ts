/**
 * Typed facts about one transaction that filters observed. A filter that observes sets a signal and never judges; policies read them.
 * On the wire they are `filter_output`, keyed by the upstream class name.
 */

/** A kind of fact: its wire name, the short name configuration uses, and how it looks as JSON. */
export interface SignalType<T> {
  /** `koukan.spf_check_filter.SpfCheckFilter`: the key on the wire. */
  readonly wireName: string;
  /** `spf_check`: the name in configuration. */
  readonly name: string;
  /** The value as its wire JSON. */
  readonly toJson: (value: T) => unknown;
  /** The value as it is kept and shown to operators, where that is more than peers are told; the wire JSON by default. */
  readonly toRecord?: (value: T) => unknown;
}

type SignalForms = Readonly<Record<string, unknown>>;

export class Signals {
  readonly #values = new Map<SignalType<never>, unknown>();
  readonly #json: Record<string, unknown> = {};
  readonly #records: Record<string, unknown> = {};
  readonly #onSet: (wireName: string, record: unknown) => void;
  readonly #inherited: () => SignalForms;

  /**
   * `onSet` hears of each new value in the form that is kept. `inherited`, in wire form, is what the filters of an earlier chain found out about
   * the same message: peers are told of it, but nothing here is judged by it.
   */
  constructor(
    onSet: (wireName: string, record: unknown) => void = () => undefined,
    inherited: () => SignalForms = () => ({}),
  ) {
    this.#onSet = onSet;
    this.#inherited = inherited;
  }

  get<T>(type: SignalType<T>): T | undefined {
    return this.#values.get(type as SignalType<never>) as T | undefined;
  }

  /** Replaces the value; values are immutable. */
  set<T>(type: SignalType<T>, value: T): void {
    this.#values.set(type as SignalType<never>, value);
    const json = type.toJson(value);
    this.#json[type.wireName] = json;
    const record = type.toRecord === undefined ? json : type.toRecord(value);
    this.#records[type.wireName] = record;
    this.#onSet(type.wireName, record);
  }

  /** All values in their wire form, inherited ones among them. */
  toJson(): SignalForms {
    return { ...this.#inherited(), ...this.#json };
  }

  /** What was found out here, in the form that is kept. */
  records(): SignalForms {
    return { ...this.#records };
  }
}
