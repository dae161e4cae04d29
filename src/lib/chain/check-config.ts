/** Checks a configuration file the way the daemons do when they start, and stops before anything runs. */

import { InvalidConfigError, type PlacedMistake } from '../config/invalid-config.ts';
import { type ConfigKind, configKind } from '../config/kind.ts';
import { parseGatewayConfig, parseRouterConfig, readConfigFile } from '../config/load.ts';
import { InvariantError } from '../core/errors.ts';
import { stepChecker } from './compile.ts';
import { compileRouter, type RouterEnv } from './compile-router.ts';
import type { StepRegistry } from './step-registry.ts';

export interface ConfigReport {
  readonly file: string;
  /** `undefined` when the file could not be read as either. */
  readonly kind: ConfigKind | undefined;
  readonly mistakes: readonly PlacedMistake[];
  /** As `file:line:col: warning: …`. */
  readonly warnings: readonly string[];
}

/** `kind` is told from the file's sections when it is not given. */
export function checkConfig(file: string, registry: StepRegistry, kind?: ConfigKind): ConfigReport {
  let found = kind;
  try {
    const text = readConfigFile(file);
    found ??= configKind(text, file);
    const warnings = found === 'router' ? checkRouter(text, file, registry) : checkGateway(text, file);
    return { file, kind: found, mistakes: [], warnings };
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    return { file, kind: found, mistakes: error.mistakes, warnings: [] };
  }
}

function checkGateway(text: string, file: string): readonly string[] {
  return parseGatewayConfig(text, file, { checkFiles: true }).source.warnings ?? [];
}

function checkRouter(text: string, file: string, registry: StepRegistry): readonly string[] {
  const config = parseRouterConfig(text, file, { checkFiles: true, checkStep: stepChecker(registry) });
  compileRouter(config, registry, nothingRuns);
  return config.source.warnings ?? [];
}

const unused = (): never => {
  throw new InvariantError('nothing runs while a configuration is checked');
};

const silent = (): void => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent, child: () => log };

/** Steps are created but no transaction is opened, so nobody may ask for the time, a name or a hop. */
const nothingRuns: RouterEnv = {
  deps: {
    clock: { now: unused, sleep: unused },
    rng: { uniform: unused, bytes: unused },
    dns: { mx: unused, addresses: unused, ptr: unused, txt: unused },
    log,
  },
  hop: unused,
  children: { open: unused, adopt: unused },
};
