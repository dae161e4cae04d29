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

/** What the signals of a transaction begin with, and who hears of them. */
export interface SignalSink {
  /** Hears of each new value in the form that is kept. */
  onSignal?(wireName: string, record: unknown): void;
  /**
   * What the filters of an earlier chain found out about the same message, in wire form: peers are told of it, but nothing here is judged
   * by it.
   */
  inherited?(): SignalForms;
}

interface Found {
  readonly value: unknown;
  readonly json: unknown;
  readonly record: unknown;
}

const NOBODY: SignalSink = {};

export class Signals {
  readonly #sink: SignalSink;
  /** Made with the first of them: about most messages nothing is found out. */
  #found: Map<SignalType<never>, Found> | undefined;

  constructor(sink: SignalSink = NOBODY) {
    this.#sink = sink;
  }

  get<T>(type: SignalType<T>): T | undefined {
    return this.#found?.get(type as SignalType<never>)?.value as T | undefined;
  }

  /** Replaces the value; values are immutable. */
  set<T>(type: SignalType<T>, value: T): void {
    const json = type.toJson(value);
    const record = type.toRecord === undefined ? json : type.toRecord(value);
    this.#found ??= new Map();
    this.#found.set(type as SignalType<never>, { value, json, record });
    this.#sink.onSignal?.(type.wireName, record);
  }

  /** All values in their wire form, inherited ones among them. */
  toJson(): SignalForms {
    const forms: Record<string, unknown> = { ...this.#sink.inherited?.() };
    for (const [{ wireName }, { json }] of this.#found ?? []) forms[wireName] = json;
    return forms;
  }

  /** What was found out here, in the form that is kept. */
  records(): SignalForms {
    const forms: Record<string, unknown> = {};
    for (const [{ wireName }, { record }] of this.#found ?? []) forms[wireName] = record;
    return forms;
  }
}
