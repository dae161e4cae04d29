/**
 * Logging over pino: one JSON object a line for machines, or one readable line for people. Lines are written synchronously, so that the
 * last one before a crash is there and nothing is queued without bound behind a slow reader.
 */
import { type DestinationStream, destination as fileDestination, type Logger, pino, stdSerializers } from 'pino';
import type { Clock, Log } from '../core/deps.ts';
import { systemClock } from './clock.ts';

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
  const lines =
    typeof destination === 'string'
      ? fileDestination({ fd: destination === 'stdout' ? 1 : 2, sync: true })
      : destination;
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
  return lazily(() => logger, {
    debug: isLogged('debug'),
    info: isLogged('info'),
    warn: isLogged('warn'),
    error: isLogged('error'),
  });
}

type Level = 'debug' | 'info' | 'warn' | 'error';

const unheard = (): void => undefined;

/** There is a child for every message and most of them never write a line: the library's part of one is made with its first line. */
function lazily(make: () => Logger, levels: Readonly<Record<Level, boolean>>): Log {
  let made: Logger | undefined;
  const logger = (): Logger => {
    made ??= make();
    return made;
  };
  return {
    isQuiet: !levels.info,
    debug: levels.debug ? (fields, text) => logger().debug(fields, text) : unheard,
    info: levels.info ? (fields, text) => logger().info(fields, text) : unheard,
    warn: levels.warn ? (fields, text) => logger().warn(fields, text) : unheard,
    error: levels.error ? (fields, text) => logger().error(fields, text) : unheard,
    child: (fields) => lazily(() => logger().child(fields), levels),
  };
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
