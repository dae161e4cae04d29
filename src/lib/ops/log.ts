/**
 * Logging over pino: one JSON object a line for machines, or one readable line for people. Lines are written synchronously, so that the
 * last one before a crash is there and nothing is queued without bound behind a slow reader.
 */
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import type { Clock, Log } from '../core/deps.ts';
import { systemClock } from './clock.ts';
import { LogOutput } from './log-output.ts';

export interface LogOptions {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly format: 'json' | 'text';
  /** Standard error by default: standard output belongs to data. A stream gets one whole line with each write. */
  readonly destination?: 'stdout' | 'stderr' | DestinationStream;
  readonly clock?: Clock;
}

/** Fields come first and never carry message content above `debug`; an error goes under `error`. */
export function createLog(options: LogOptions): Log {
  const { level, format, destination = 'stderr', clock = systemClock } = options;
  const tellLost = (lines: number): void =>
    logger.warn({ lines }, 'lines of the log were lost: they could not be written');
  const lines =
    typeof destination === 'string' ? new LogOutput(destination === 'stdout' ? 1 : 2, tellLost) : destination;
  const target = format === 'text' ? { write: (line: string) => lines.write(textLine(line)) } : lines;
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'text',
      timestamp: () => `,"time":"${new Date(clock.now()).toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.err },
    },
    target,
  );
  const isLogged = (at: Level): boolean => logger.isLevelEnabled(at);
  const levels = { debug: isLogged('debug'), info: isLogged('info'), warn: isLogged('warn'), error: isLogged('error') };
  return new LazyLog(levels, logger);
}

type Level = 'debug' | 'info' | 'warn' | 'error';

/** There is a child for every message and most of them never write a line: the library's part of one is made with its first line. */
class LazyLog implements Log {
  readonly #levels: Readonly<Record<Level, boolean>>;
  readonly #source: LazyLog | Logger;
  readonly #fields: object;
  #made: Logger | undefined;

  /** `source`: the library's own, or the log that this is a child of. */
  constructor(levels: Readonly<Record<Level, boolean>>, source: LazyLog | Logger, fields: object = {}) {
    this.#levels = levels;
    this.#source = source;
    this.#fields = fields;
  }

  get isQuiet(): boolean {
    return !this.#levels.info;
  }

  debug(fields: object, text: string): void {
    if (this.#levels.debug) this.#logger().debug(fields, text);
  }

  info(fields: object, text: string): void {
    if (this.#levels.info) this.#logger().info(fields, text);
  }

  warn(fields: object, text: string): void {
    if (this.#levels.warn) this.#logger().warn(fields, text);
  }

  error(fields: object, text: string): void {
    if (this.#levels.error) this.#logger().error(fields, text);
  }

  child(fields: object): Log {
    return new LazyLog(this.#levels, this, fields);
  }

  #logger(): Logger {
    this.#made ??= this.#source instanceof LazyLog ? this.#source.#logger().child(this.#fields) : this.#source;
    return this.#made;
  }
}

/** `2026-01-01T00:00:00.000Z INFO  listening port=8000`: time, level, sentence, then the fields. */
function textLine(json: string): string {
  const { level, time, text, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`);
  return `${String(time)} ${String(level).toUpperCase().padEnd(5)} ${oneLine(String(text ?? ''))}${rest.join('')}\n`;
}

/** Plain words stay as they are; anything else is JSON, so that a value cannot pass for a second field or a second line. */
function fieldText(value: unknown): string {
  if (typeof value === 'string' && /^[\p{L}\p{N}!#$%&()*+,./:;<>?@[\]^_`{|}~-]+$/u.test(value)) return value;
  if (isLoggedError(value)) return JSON.stringify(value.stack ?? value.message);
  return JSON.stringify(value);
}

function isLoggedError(value: unknown): value is { message: string; stack?: string } {
  return typeof value === 'object' && value !== null && 'message' in value && 'type' in value;
}

function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
