/** Checks a configuration file the way the daemons do when they start, and stops before anything runs. */

import type { GatewayConfig } from '../config/gateway-config.ts';
import { InvalidConfigError, type PlacedMistake } from '../config/invalid-config.ts';
import { jointMistakes } from '../config/joint-mistakes.ts';
import { type ConfigKind, configKind } from '../config/kind.ts';
import { parseGatewayConfig, parseRouterConfig, pathResolver, readConfigFile } from '../config/load.ts';
import type { RouterConfig } from '../config/router-config.ts';
import { InvariantError } from '../core/errors.ts';
import { stepChecker } from './compile.ts';
import { compileRouter, type RouterEnv } from './compile-router.ts';
import { openRelays } from './open-relay.ts';
import type { StepRegistry, StepsOf } from './step-registry.ts';

export interface ConfigReport {
  readonly file: string;
  /** `undefined` when the file could not be read as either. */
  readonly kind: ConfigKind | undefined;
  readonly mistakes: readonly PlacedMistake[];
  /** As `file:line:col: warning: …`. */
  readonly warnings: readonly string[];
}

/** Checks each file, and a router and a gateway that are checked together also against each other. */
export async function checkConfigs(
  files: readonly string[],
  stepsOf: StepsOf,
  kind?: ConfigKind,
): Promise<ConfigReport[]> {
  const checked: Checked[] = [];
  // One after the other: the plugins of two files may share modules, and what is said keeps its order.
  for (const file of files) checked.push(await checkOne(file, stepsOf, kind));
  const routers = checked.flatMap(({ router }) => router ?? []);
  const gateways = checked.flatMap(({ gateway }) => gateway ?? []);
  const [router, gateway] = [routers[0], gateways[0]];
  const isPair = router !== undefined && gateway !== undefined && routers.length + gateways.length === 2;
  const joint = isPair ? jointMistakes(router, gateway) : [];
  const relays = checked.flatMap((each) =>
    each.router && each.registry ? openRelays(each.router, isPair ? gateway : undefined, each.registry) : [],
  );
  return checked.map(({ report }) => {
    const mistakes = [...report.mistakes, ...[...joint, ...relays].filter(({ file }) => file === report.file)];
    return { ...report, mistakes };
  });
}

/** Checks a text as if it stood in `file`: paths in it are relative to that. */
export async function checkText(text: string, file: string, stepsOf: StepsOf, kind: ConfigKind): Promise<ConfigReport> {
  return (await checkOne(file, stepsOf, kind, text)).report;
}

interface Checked {
  readonly report: ConfigReport;
  readonly router?: RouterConfig;
  /** Of a router. */
  readonly registry?: StepRegistry;
  readonly gateway?: GatewayConfig;
}

/** `kind` is told from the file's sections when it is not given. */
async function checkOne(file: string, stepsOf: StepsOf, kind?: ConfigKind, given?: string): Promise<Checked> {
  let found = kind;
  try {
    const text = given ?? readConfigFile(file);
    found ??= configKind(text, file);
    const config =
      found === 'router'
        ? await checkedRouter(text, file, stepsOf)
        : { gateway: parseGatewayConfig(text, file, { checkFiles: true }) };
    const { source } = 'router' in config ? config.router : config.gateway;
    return { report: { file, kind: found, mistakes: [], warnings: source.warnings ?? [] }, ...config };
  } catch (error) {
    if (!(error instanceof InvalidConfigError)) throw error;
    return { report: { file, kind: found, mistakes: error.mistakes, warnings: [] } };
  }
}

async function checkedRouter(text: string, file: string, stepsOf: StepsOf) {
  const { registry, mistakes } = await stepsOf(text, file);
  const checkStep = stepChecker(registry, pathResolver(file));
  const config = parseRouterConfig(text, file, { checkFiles: true, checkStep, mistakes });
  compileRouter(config, registry, nothingRuns);
  return { router: config, registry };
}

const unused = (): never => {
  throw new InvariantError('nothing runs while a configuration is checked');
};

const silent = (): void => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent, child: () => log };

/** Steps are created but no transaction is opened, so nobody may ask for the time, a name or a hop. */
const nothingRuns: RouterEnv = {
  deps: {
    clock: { now: unused, monotonicMs: unused, sleep: unused, after: unused },
    rng: { uniform: unused, bytes: unused },
    dns: { mx: unused, addresses: unused, ptr: unused, txt: unused },
    log,
  },
  hop: unused,
  children: { open: unused, adopt: unused, store: unused },
};
