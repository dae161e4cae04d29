/** Time, randomness, DNS and logging, made once in a command and passed down, so that tests decide all four. */

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds of a clock that nobody sets: it neither jumps nor agrees with anybody's, so only differences within a process mean something. */
  monotonicMs(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Calls back once, later; the returned function takes that back. For waits that are made for every message: next to no cost. A wait of a second
   * or more may end a fifth of a second late.
   */
  after(ms: number, callback: () => void): () => void;
}

export interface Rng {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** `size` unpredictable bytes. */
  bytes(size: number): Buffer;
}

/** What a DNS question found: records; the name or type does not exist; or no answer could be had, which may change. */
export type DnsAnswer<T> =
  | { readonly status: 'ok'; readonly records: readonly T[] }
  | { readonly status: 'notFound' }
  | { readonly status: 'temporary'; readonly why: string };

export interface MxRecord {
  readonly exchange: string;
  readonly preference: number;
}

export interface Dns {
  mx(domain: string): Promise<DnsAnswer<MxRecord>>;
  /** A and AAAA together: IPv4 first. `temporary` when there is no record but one of the questions was not answered. */
  addresses(host: string): Promise<DnsAnswer<string>>;
  ptr(ip: string): Promise<DnsAnswer<string>>;
  /** Each record as one string. */
  txt(name: string): Promise<DnsAnswer<string>>;
}

/** Structured logging: fields first, then a fixed sentence. No message content at any level above `debug`. */
export interface Log {
  /** Nothing below a warning is written anywhere: whoever has much to say may spare himself the fields. */
  readonly isQuiet?: boolean;
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
  /** A log whose every line carries these fields too. */
  child(fields: object): Log;
}

export interface Deps {
  readonly clock: Clock;
  readonly rng: Rng;
  readonly dns: Dns;
  readonly log: Log;
}
