/** What the daemon commands do: load the configuration, start, and stay until a signal. */
import { stepChecker } from '../chain/compile.ts';
import { registry } from '../chain/registry.ts';
import { loadGatewayConfig, loadRouterConfig } from '../config/load.ts';
import { onShutdown } from '../ops/shutdown.ts';
import { type DaemonAsk, startDaemon } from './daemon.ts';

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
  for (const config of [router, gateway]) {
    for (const warning of config?.source.warnings ?? []) process.stderr.write(`${warning}\n`);
  }
  const daemon = await startDaemon({ ...(router && { router }), ...(gateway && { gateway }), join: ask.join });
  onShutdown((hurry) => daemon.stop(hurry), {
    clock: daemon.deps.clock,
    log: daemon.deps.log,
    deadlineMs: ask.stopTimeoutMs,
  });
}
