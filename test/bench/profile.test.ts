/** `npm run bench:profile` is believed only if it puts every sample where it belongs: here are twenty of them, of which each is five percent. */
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';

const SAMPLES = 'test/bench/perf-script.txt';
const NAMES = new URL('../../bench/profile/names.mjs', import.meta.url).href;

const profile = (args: readonly string[], env: Record<string, string> = {}) =>
  execa('node', ['bench/profile.mjs', ...args], { reject: false, env });

/** The lines of a table as `thread: category` with their shares. */
function sharesIn(markdown: string): Record<string, string> {
  const shares: Record<string, string> = {};
  let thread = '';
  for (const line of markdown.split('\n').slice(2)) {
    const [title = '', share = ''] = line
      .split('|')
      .slice(1, 3)
      .map((cell) => cell.trim().replaceAll('**', ''));
    if (line.startsWith('| **')) thread = title;
    shares[title === thread ? title : `${thread}: ${title}`] = share;
  }
  return shares;
}

describe('a recorded profile', () => {
  it('has every sample in one category, that of the innermost function anybody knows, on the thread it was taken on', async () => {
    const { stdout, exitCode } = await profile(['--perf-script', SAMPLES]);
    expect(sharesIn(stdout)).toEqual({
      'main thread': '60 %',
      'main thread: kernel: writes to sockets': '10 %',
      // Called by Node's socket, which does not make it Node's.
      'main thread: ours: smtp/client': '5.0 %',
      'main thread: Node: sockets, streams, HTTP': '5.0 %',
      'main thread: memory of buffers': '5.0 %',
      'main thread: garbage collection': '5.0 %',
      'main thread: messages between threads': '5.0 %',
      'main thread: ours: chain, filters, matchers': '5.0 %',
      'main thread: promises, microtasks': '5.0 %',
      'main thread: HTTP libraries': '5.0 %',
      'main thread: kernel: page faults, mapping memory': '5.0 %',
      'main thread: not known': '5.0 %',
      // Also where the stack of a sample does not reach back to where the thread began.
      'database thread': '20 %',
      'database thread: SQLite': '5.0 %',
      'database thread: kernel: syncs': '5.0 %',
      'database thread: kernel: files': '5.0 %',
      'database thread: ours: store': '5.0 %',
      'V8’s threads': '10 %',
      'V8’s threads: compiling': '5.0 %',
      'V8’s threads: malloc, free, copies': '5.0 %',
      'libuv’s threads': '10 %',
      'libuv’s threads: cryptography': '10 %',
      'all threads': '100 %',
      'of it the kernel': '25 %',
      samples: '20',
    });
    expect(exitCode).toBe(0);
  });
});

describe('the names of compiled functions', () => {
  it('are the last ones that an address had', async () => {
    const lines = [
      '1000 100 JS:*start',
      '2000 80 JS:*stays',
      '1080 100 JS:*load',
      '10c0 20 JS:*now',
      '3000 0 nothing',
      '',
    ];
    expect((await import(NAMES)).lastNames(lines.join('\n'))).toBe('10c0 20 JS:*now\n2000 80 JS:*stays\n');
    expect((await import(NAMES)).lastNames('1000 100 a\n1100 100 b\nf00 100 c\n')).toBe(
      'f00 100 c\n1000 100 a\n1100 100 b\n',
    );
  });
});

describe('mistakes', () => {
  it('a scenario that is none is refused with those there are', async () => {
    const { stderr, exitCode } = await profile(['--scenario', 'stored-5k']);
    expect(stderr).toContain('no scenario stored-5k (did you mean stored-4k?); there are relay-4k');
    expect(exitCode).toBe(64);
  });

  it('where there is no perf it says so', async () => {
    const { stderr, exitCode } = await execa(process.execPath, ['bench/profile.mjs'], {
      reject: false,
      extendEnv: false,
      env: { PATH: '/nowhere' },
    });
    expect(stderr).toContain('perf does not start');
    expect(exitCode).toBe(69);
  });
});
