/** A REST server over a service in memory, on a free port, closed after the test. */
import { onTestFinished } from 'vitest';
import { createRestServer, type RestServer, type RestServerOptions } from '../../src/lib/http/server.ts';
import { memoryLog, realClock } from '../helpers/fake-deps.ts';
import { MemoryService, type MemoryServiceOptions } from '../helpers/memory-service.ts';

export interface Running {
  readonly url: string;
  readonly service: MemoryService;
  readonly server: RestServer;
  readonly log: ReturnType<typeof memoryLog>;
}

export async function startRestServer(
  service: MemoryServiceOptions = {},
  options: Partial<RestServerOptions> = {},
): Promise<Running> {
  const memory = new MemoryService(service);
  const log = memoryLog();
  const server = await createRestServer({ service: memory, log, clock: realClock, ...options });
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 });
  const url = `http${options.tls === undefined ? '' : 's'}://127.0.0.1:${port}`;
  onTestFinished(() => server.close(AbortSignal.abort()));
  return { url, service: memory, server, log };
}
