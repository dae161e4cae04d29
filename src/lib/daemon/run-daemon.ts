/** What the daemon commands do: load the configuration, start, and stay until a signal. */
import { openRelays } from '../chain/open-relay.ts';
import { InvalidConfigError } from '../config/invalid-config.ts';
import { jointMistakes } from '../config/joint-mistakes.ts';
import { loadGatewayConfig } from '../config/load.ts';
import { refuseMistakenKinds } from '../config/mistaken-kind.ts';
import type { Log } from '../core/deps.ts';
import { systemClock } from '../ops/clock.ts';
import { onShutdown, stopOnceStarted } from '../ops/shutdown.ts';
import { loadRouter } from '../plugins/load-router.ts';
import { partWords } from '../plugins/plugin-part.ts';
import { watchPlugins } from '../plugins/watch-plugins.ts';
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
  refuseMistakenKinds({
    ...(ask.routerFile !== undefined && { router: ask.routerFile }),
    ...(ask.gatewayFile !== undefined && { gateway: ask.gatewayFile }),
  });
  const loaded = ask.routerFile === undefined ? undefined : await loadRouter(ask.routerFile, systemClock);
  const router = loaded?.config;
  const gateway = ask.gatewayFile === undefined ? undefined : loadGatewayConfig(ask.gatewayFile);
  const joint = router && gateway ? jointMistakes(router, gateway) : [];
  const relays = loaded ? openRelays(loaded.config, gateway, loaded.registry) : [];
  if (joint.length + relays.length > 0) throw new InvalidConfigError([...joint, ...relays]);
  for (const config of [router, gateway]) {
    // Where it cannot be written (a full disk), the daemon runs nevertheless.
    process.stderr.on('error', () => undefined);
    for (const warning of config?.source.warnings ?? []) process.stderr.write(`${warning}\n`);
  }
  const deps = systemDeps((router ?? gateway)?.log ?? { level: 'info', format: 'text' });
  if (loaded?.hasPlugins) survivePlugins(deps.log);
  const starting = startDaemon({
    ...(loaded && { router: loaded.config, registry: loaded.registry }),
    ...(gateway && { gateway }),
    join: ask.join,
    deps,
  });
  onShutdown(
    stopOnceStarted(starting, (daemon, hurry) => daemon.stop(hurry)),
    { clock: deps.clock, log: deps.log, deadlineMs: ask.stopTimeoutMs },
  );
  await starting;
}

/** Until the process ends: a plugin may leave something behind even after its transaction. */
function survivePlugins(log: Log): void {
  watchPlugins((part, error) => {
    const fields = { plugin: part.plugin, [part.kind]: part.name, error };
    log.error(fields, `${partWords(part)} left an error that nobody caught`);
  });
}
