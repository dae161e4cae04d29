/**
 * A disk that is soon full and can be made larger: a tmpfs of its own where a test may mount one, otherwise a limit on the size of files,
 * which is told to the process. Which of the two it was, the test says.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { limits } from '../../src/lib/core/limits.ts';
import type { KoukanProcess } from '../helpers/process.ts';

const MEGABYTE = 1024 * 1024;

/** What a store leaves free of a disk. */
const KEPT_MEGABYTES = limits.storeFreeBytes / MEGABYTE;

const LARGE_MEGABYTES = KEPT_MEGABYTES + 64;

export interface SmallDisk {
  readonly kind: 'tmpfs' | 'file size';
  readonly folder: string;
  /** Makes it so small that it is soon full, as far as that needs no process to be told. */
  shrink(child?: KoukanProcess): void;
  grow(child: KoukanProcess): void;
}

/** With room for so much, beside what a store leaves free of a disk that says how much that is. */
export function smallDisk(context: TestContext, megabytes: number): SmallDisk {
  const folder = mkdtempSync(path.join(tmpdir(), 'koukan-small-disk-'));
  const remount = (size: number): void => {
    execFileSync('mount', ['-o', `remount,size=${size}m`, folder], { stdio: 'pipe' });
  };
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${LARGE_MEGABYTES}m`, 'koukan-test', folder], { stdio: 'pipe' });
  } catch (error) {
    console.warn(`The full disk is a limit on the size of files, not a disk: ${(error as Error).message.trim()}`);
    context.onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const limit = (child: KoukanProcess | undefined, bytes: number | 'unlimited'): void => {
      if (child === undefined) return;
      execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`]);
    };
    return {
      kind: 'file size',
      folder,
      shrink: (child) => limit(child, megabytes * MEGABYTE),
      grow: (child) => limit(child, 'unlimited'),
    };
  }
  context.onTestFinished(() => {
    // Lazily: whoever still has a file open there is about to end.
    execFileSync('umount', ['--lazy', folder], { stdio: 'pipe' });
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    kind: 'tmpfs',
    folder,
    shrink: () => remount(KEPT_MEGABYTES + megabytes),
    grow: () => remount(LARGE_MEGABYTES),
  };
}

/** Whether a test may mount a disk of its own here. */
export function mayMount(): boolean {
  const folder = mkdtempSync(path.join(tmpdir(), 'koukan-mount-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'koukan-test', folder], { stdio: 'pipe' });
    execFileSync('umount', [folder], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A disk of its own for something that is not Koukan, where a test may mount one. */
export interface OwnDisk {
  /** May be removed with what is in it. */
  readonly folder: string;
  /** Leaves no room. */
  fill(): void;
  empty(): void;
}

const OWN_MEGABYTES = 256;

export function ownDisk(context: TestContext): OwnDisk {
  const root = mkdtempSync(path.join(tmpdir(), 'koukan-own-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${OWN_MEGABYTES}m`, 'koukan-test', root], { stdio: 'pipe' });
  context.onTestFinished(() => {
    execFileSync('umount', ['--lazy', root], { stdio: 'pipe' });
    rmSync(root, { recursive: true, force: true });
  });
  const folder = path.join(root, 'files');
  mkdirSync(folder);
  const ballast = path.join(root, 'ballast');
  return { folder, fill: () => writeUntilFull(ballast), empty: () => rmSync(ballast) };
}

function writeUntilFull(file: string): void {
  const fd = openSync(file, 'w');
  const chunk = Buffer.alloc(64 * 1024);
  try {
    for (let bytes = 0; bytes <= OWN_MEGABYTES * MEGABYTE; bytes += chunk.length) writeSync(fd, chunk);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  } finally {
    closeSync(fd);
  }
}
