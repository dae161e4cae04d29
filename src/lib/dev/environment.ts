/** The local environment: router, gateway, a receiving application and an SMTP sink in one process, on an SQLite file that is thrown away. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadGatewayConfig, loadRouterConfig } from '../config/load.ts';
import type { LogConfig, RouterConfig } from '../config/router-config.ts';
import { exitCodes, UserError } from '../core/errors.ts';
import { listenProblem } from '../core/listen-problem.ts';
import { startDaemon, systemDeps } from '../daemon/daemon.ts';
import type { ReceivedMessage } from '../receiver/received-message.ts';
import { createReceiver } from '../receiver/receiver.ts';
import { type SinkMessage, startSink } from '../smtp/sink/sink.ts';

/** The root of the package, from `src/lib/dev` as from `dist/lib/dev`. */
export const packageRoot = fileURLToPath(new URL('../../../', import.meta.url));

const SINK_PORT = 3025;
const RECEIVER_PORT = 8002;

export interface DevOptions {
  readonly log: LogConfig;
  /** Whether the two halves are joined by a call or by HTTP. */
  readonly join: 'call' | 'http';
  readonly onSink: (message: SinkMessage) => void;
  readonly onReceiver: (message: ReceivedMessage) => void;
}

export interface DevEnvironment {
  /** The directory of everything that lasts as long as the environment: database, received messages. */
  readonly dir: string;
  readonly receivedDir: string;
  /** What listens where, for people. */
  readonly listeners: readonly (readonly [address: string, what: string])[];
  stop(hurry: AbortSignal): Promise<void>;
}

export async function startDev(options: DevOptions): Promise<DevEnvironment> {
  const router = loadRouterConfig(path.join(packageRoot, 'config/local-test/router.yaml'));
  const gateway = loadGatewayConfig(path.join(packageRoot, 'config/local-test/gateway.yaml'));
  const dir = await mkdtemp(path.join(tmpdir(), 'koukan-dev-'));
  const receivedDir = path.join(dir, 'received');
  await mkdir(receivedDir);
  const stops: ((hurry: AbortSignal) => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true })];
  const stop = async (hurry: AbortSignal): Promise<void> => {
    for (const stopOne of stops.splice(0).reverse()) await stopOne(hurry);
  };
  try {
    const deps = systemDeps(options.log);
    const sink = await orPortProblem('the SMTP sink', SINK_PORT, () =>
      startSink({ port: SINK_PORT, onMessage: options.onSink, keep: 0 }),
    );
    stops.push(() => sink.close());
    const receiver = await createReceiver(
      { dir: receivedDir, port: RECEIVER_PORT, onMessage: options.onReceiver },
      deps,
    );
    stops.push((hurry) => receiver.close(hurry));
    const daemon = await startDaemon({ router: withDatabase(router, dir), gateway, join: options.join, deps });
    stops.push((hurry) => daemon.stop(hurry));
  } catch (error) {
    await stop(AbortSignal.abort());
    throw error;
  }
  const listeners = [
    ...gateway.services.map(
      ({ addr, tag, smtps }) => [`${addr.host}:${addr.port}`, `SMTP${smtps ? ' over TLS' : ''}, ${tag}`] as const,
    ),
    [router.restListener.sessionUri, 'REST, router'] as const,
    [gateway.restListener.sessionUri, 'REST, gateway'] as const,
    [`http://localhost:${RECEIVER_PORT}`, `REST, the receiving application (files in ${receivedDir})`] as const,
    [`127.0.0.1:${SINK_PORT}`, 'SMTP, the sink: where mail for example.com ends up'] as const,
  ];
  return { dir, receivedDir, listeners, stop };
}

function withDatabase(config: RouterConfig, dir: string): RouterConfig {
  return { ...config, storage: { ...config.storage, url: `sqlite:///${path.join(dir, 'koukan.sqlite')}` } };
}

async function orPortProblem<T>(what: string, port: number, start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    const problem = listenProblem('127.0.0.1', port, error);
    throw new UserError(`${problem} (for ${what}: is another \`koukan dev\` running?)`, exitCodes.unavailable);
  }
}
