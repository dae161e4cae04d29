/** Why a module could not be loaded, in words, and with the place in its code. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { limits } from '../core/limits.ts';
import { thrownText, thrownWords } from './thrown-words.ts';

/** `file` is the module that was asked for; the fault may be in one that it imports. */
export function importProblem(error: unknown, file: string): string {
  const { code } = (typeof error === 'object' && error !== null ? error : {}) as NodeJS.ErrnoException;
  switch (code) {
    case 'ERR_MODULE_NOT_FOUND':
    case 'ERR_PACKAGE_PATH_NOT_EXPORTED':
    case 'ERR_UNSUPPORTED_DIR_IMPORT':
      return `imports what is not there: ${messageOf(error)}`;
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return `is no .js or .mjs file (TypeScript has to be compiled first): ${messageOf(error)}`;
  }
  if (error instanceof SyntaxError) return syntaxProblem(error, file);
  return `throws while it is loaded: ${thrownWords(error)}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : thrownText(error);
}

/** The runtime says the place of a wrong import, but that of a slip in the text only to whoever checks the file by itself. */
function syntaxProblem(error: SyntaxError, file: string): string {
  const place = placeIn(error.stack ?? '') ?? placeOfSlip(file, new Set());
  return place === undefined
    ? `has a syntax error: ${error.message}`
    : `has a syntax error at ${place}: ${error.message}`;
}

/** `file:///etc/koukan/hello.js:3`, and two lines further down a `^` under the place. */
function placeIn(report: string, standIn?: string): string | undefined {
  const [, where, line] = /^(file:\/\/\S+|\[stdin\]|\/\S*):(\d+)$/m.exec(report) ?? [];
  if (where === undefined) return undefined;
  const col = /^( *)\^/m.exec(report)?.[1]?.length;
  const file = standIn ?? (where.startsWith('file:') ? fileURLToPath(where) : where);
  return `${file}:${line}${col === undefined ? '' : `:${col + 1}`}`;
}

/** In the file itself, or else in the files of the plugin that it imports, and those that they import. */
function placeOfSlip(file: string, seen: Set<string>): string | undefined {
  if (!path.isAbsolute(file) || seen.has(file)) return undefined;
  seen.add(file);
  try {
    const input = readFileSync(file, 'utf8');
    const { stderr } = spawnSync(process.execPath, ['--check', '--input-type=module', '-'], {
      input,
      encoding: 'utf8',
      timeout: limits.pluginLoadMs,
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const place = placeIn(stderr ?? '', file);
    if (place !== undefined) return place;
    for (const [, imported] of input.matchAll(/\b(?:from|import)\s*['"](\.{1,2}\/[^'"\n]+)['"]/g)) {
      const inImported = placeOfSlip(path.resolve(path.dirname(file), imported ?? ''), seen);
      if (inImported !== undefined) return inImported;
    }
  } catch {
    // Without a place the message still says what is wrong.
  }
  return undefined;
}
