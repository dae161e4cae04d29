/** What the daemon commands do: load the configuration, start, and stay until a signal. */
import { stepChecker } from '../chain/compile.ts';
import { registry } from '../chain/registry.ts';
import { InvalidConfigError } from '../config/invalid-config.ts';
import { jointMistakes } from '../config/joint-mistakes.ts';
import { loadGatewayConfig, loadRouterConfig } from '../config/load.ts';
import { onShutdown, stopOnceStarted } from '../ops/shutdown.ts';
import { type DaemonAsk, startDaemon, systemDeps } from './daemon.ts';

export interface RunAsk {
  readonly routerFile?: string;
  readonly gatewayFile?: string;
  readonly join: DaemonAsk['join'];
  /** How long an orderly stop may take before it is told to hurry. */
  readonly stopTimeoutMs: number;
}

/** Resolves when the daemon is up; signals do the rest. Throws `UserError` for anything a user can mend. */
export async function runDaemon(ask: RunAsk): Promise<void> {
  const router =
    ask.routerFile === undefined
      ? undefined
      : loadRouterConfig(ask.routerFile, { checkFiles: true, checkStep: stepChecker(registry) });
  const gateway = ask.gatewayFile === undefined ? undefined : loadGatewayConfig(ask.gatewayFile);
  const joint = router && gateway ? jointMistakes(router, gateway) : [];
  if (joint.length > 0) throw new InvalidConfigError(joint);
  for (const config of [router, gateway]) {
    for (const warning of config?.source.warnings ?? []) process.stderr.write(`${warning}\n`);
  }
  const deps = systemDeps((router ?? gateway)?.log ?? { level: 'info', format: 'text' });
  const starting = startDaemon({ ...(router && { router }), ...(gateway && { gateway }), join: ask.join, deps });
  onShutdown(
    stopOnceStarted(starting, (daemon, hurry) => daemon.stop(hurry)),
    { clock: deps.clock, log: deps.log, deadlineMs: ask.stopTimeoutMs },
  );
  await starting;
}
