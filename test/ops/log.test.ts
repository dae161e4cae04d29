/** Log lines as a machine and as a person read them. */
import { describe, expect, it } from 'vitest';
import { createLog, type LogOptions } from '../../src/lib/ops/log.ts';
import { FakeClock } from '../helpers/fake-clock.ts';

function logTo(options: Pick<LogOptions, 'level' | 'format'>): { lines: string[]; log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 6));
  return { lines, log: createLog({ ...options, clock, destination: { write: (line) => void lines.push(line) } }) };
}

describe('json', () => {
  it('writes one object a line with time, level, fields and text', () => {
    const { lines, log } = logTo({ level: 'info', format: 'json' });
    log.child({ tx: 'abc' }).warn({ port: 25 }, 'refused');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: 'warn', time: '2026-01-02T03:04:05.006Z', tx: 'abc', port: 25, text: 'refused' },
    ]);
    expect(lines[0]?.endsWith('\n')).toBe(true);
  });

  it('writes the fields of all children above a line, in their order', () => {
    const { lines, log } = logTo({ level: 'info', format: 'json' });
    const child = log.child({ session: 's' });
    child.child({ tx: 't' }).info({}, 'first');
    child.info({}, 'second');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { session: 's', tx: 't', text: 'first' },
      { session: 's', text: 'second' },
    ]);
    expect(lines[1]).not.toContain('"tx"');
  });

  it('keeps the message and the stack of an error', () => {
    const { lines, log } = logTo({ level: 'error', format: 'json' });
    log.error({ error: new Error('broken pipe') }, 'write failed');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ error: { message: 'broken pipe', stack: expect.any(String) } });
  });

  it.each([
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const)('at level %s lets %i of the four levels through', (level, count) => {
    const { lines, log } = logTo({ level, format: 'json' });
    for (const at of ['debug', 'info', 'warn', 'error'] as const) log[at]({}, 'x');
    expect(lines).toHaveLength(count);
  });
});

describe('text', () => {
  it('writes time, level, sentence and fields on one line', () => {
    const { lines, log } = logTo({ level: 'info', format: 'text' });
    log.info({ port: 8000, host: '127.0.0.1', reply: '550 no such user' }, 'listening');
    expect(lines).toEqual([
      '2026-01-02T03:04:05.006Z INFO  listening port=8000 host=127.0.0.1 reply="550 no such user"\n',
    ]);
  });

  it('cannot be made to write a second line or a forged field', () => {
    const { lines, log } = logTo({ level: 'info', format: 'text' });
    log.info({ ehlo: 'evil\r\n2026 INFO fine', name: 'a b=c' }, 'said\nhello');
    expect(lines).toEqual(['2026-01-02T03:04:05.006Z INFO  said hello ehlo="evil\\r\\n2026 INFO fine" name="a b=c"\n']);
  });

  it('shows an error by its stack, on one line', () => {
    const { lines, log } = logTo({ level: 'info', format: 'text' });
    log.error({ error: new Error('broken pipe') }, 'write failed');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^2026\S+ ERROR write failed error="Error: broken pipe\\n {4}at .*"\n$/);
  });
});
