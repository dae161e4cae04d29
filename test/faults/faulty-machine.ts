/** The tests' end of `machine.c`: compiles it, gives the environment in which a daemon runs on a machine that fails, and tells it how. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const SOURCE = path.join(import.meta.dirname, 'machine.c');

/** In the order of `struct control`. */
const FIELDS = ['syncErrno', 'syncMs', 'writeErrno', 'openErrno', 'clockMs', 'only', 'pastBytes'] as const;
const HITS_AT = FIELDS.length * 8;

/** What is wrong with the machine; what is not named is in order. Error numbers are those of Linux. */
export type Fault = Partial<Readonly<Record<(typeof FIELDS)[number], number>>>;

/** Values of `only`. */
export const MAIN = 1;
export const BODIES = 2;
export const TABLES = 3;

export const EIO = 5;
export const ENOSPC = 28;
export const EROFS = 30;

export class FaultyMachine {
  readonly env: Readonly<Record<string, string>>;
  readonly #control: number;
  #fault: Fault = {};

  private constructor(library: string, folder: string) {
    const file = path.join(folder, 'machine');
    writeFileSync(file, Buffer.alloc(HITS_AT + 8));
    // PostgreSQL may run as another user.
    chmodSync(file, 0o666);
    this.#control = openSync(file, 'r+');
    this.env = { LD_PRELOAD: library, FAULTY_MACHINE: file, FAULTY_DISK: folder };
  }

  /** `folder` is the disk that may fail. */
  static in(folder: string): FaultyMachine {
    return new FaultyMachine(library(), folder);
  }

  /** The environment of a daemon that asks this DNS server, `address:port`, and no other. */
  envWithDns(address: string): Readonly<Record<string, string>> {
    const [ip, port] = address.split(':');
    const file = path.join(this.env.FAULTY_DISK ?? '', 'resolv.conf');
    writeFileSync(file, `nameserver [${ip}]:${port}\n`);
    return { ...this.env, FAULTY_RESOLV_CONF: file };
  }

  /** From this moment on, and until the next call, this is wrong and nothing else; the clock stays where it was put last. */
  fails(fault: Fault): void {
    this.#fault = { clockMs: this.#fault.clockMs ?? 0, ...fault };
    const bytes = Buffer.alloc(HITS_AT);
    for (const [i, field] of FIELDS.entries()) bytes.writeBigInt64LE(BigInt(this.#fault[field] ?? 0), i * 8);
    writeSync(this.#control, bytes, 0, bytes.length, 0);
  }

  recovers(): void {
    this.fails({});
  }

  /** How many calls have failed so far because they were told to. */
  get hits(): number {
    const bytes = Buffer.alloc(8);
    readSync(this.#control, bytes, 0, 8, HITS_AT);
    return Number(bytes.readBigInt64LE(0));
  }

  close(): void {
    closeSync(this.#control);
  }
}

/** There is a compiler wherever better-sqlite3 was built; where it came ready made there may be none. */
export function whyNoFaultyMachine(): string | undefined {
  if (process.platform !== 'linux') return 'it is not Linux';
  try {
    library();
    return undefined;
  } catch (error) {
    return `there is no working C compiler (${(error as Error).message.split('\n')[0]})`;
  }
}

/** Compiled once for each text of the source, whoever comes first. */
function library(): string {
  const name = `koukan-faulty-machine-${createHash('sha256').update(readFileSync(SOURCE)).digest('hex').slice(0, 16)}`;
  const file = path.join(tmpdir(), `${name}.so`);
  if (existsSync(file)) return file;
  const made = path.join(tmpdir(), `${name}-${process.pid}`);
  execFileSync('cc', ['-shared', '-fPIC', '-O1', '-Wall', '-o', made, SOURCE, '-ldl'], { stdio: 'pipe' });
  renameSync(made, file);
  return file;
}
