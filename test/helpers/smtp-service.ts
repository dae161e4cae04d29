/** A gateway's SMTP listener on a free port in front of a fake hop, for tests that speak SMTP to it. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SmtpServiceConfig } from '../../src/lib/config/gateway-config.ts';
import type { Deps } from '../../src/lib/core/deps.ts';
import { createInbound, type InboundOptions } from '../../src/lib/gateway/inbound.ts';
import { Spool } from '../../src/lib/spool/spool.ts';
import { fakeDeps, memoryLog, realClock } from './fake-deps.ts';
import { type FakeHop, fakeHop } from './fake-hop.ts';

export const testTls = {
  cert: join(import.meta.dirname, '../fixtures/tls/localhost.crt'),
  key: join(import.meta.dirname, '../fixtures/tls/localhost.key'),
};

export interface SmtpService extends AsyncDisposable {
  readonly port: number;
  readonly hop: FakeHop;
  readonly log: ReturnType<typeof memoryLog>;
  readonly spoolDirectory: string;
  close(hurry?: AbortSignal): Promise<void>;
}

export interface SmtpServiceAsk extends Partial<Omit<InboundOptions, 'config' | 'hop' | 'deps'>> {
  readonly config?: Partial<SmtpServiceConfig>;
  readonly hop?: FakeHop;
  readonly deps?: Partial<Deps>;
}

export async function smtpService(ask: SmtpServiceAsk = {}): Promise<SmtpService> {
  const { config, hop = fakeHop(), deps: given, ...options } = ask;
  const log = memoryLog();
  const deps = fakeDeps({ clock: realClock, log, ...given });
  const spoolDirectory = await mkdtemp(join(tmpdir(), 'koukan-test-'));
  const spool = new Spool(spoolDirectory, deps);
  await spool.prepare();
  const inbound = createInbound({
    config: {
      addr: { host: '127.0.0.1', port: 0 },
      endpoint: 'router',
      sender: 'ingress',
      tag: 'mx',
      smtps: false,
      enableBdat: true,
      rcptTimeoutMs: 40_000,
      dataTimeoutMs: 310_000,
      ...config,
    },
    hop,
    deps,
    spool,
    hostName: 'mx.test',
    ...options,
  });
  const { port } = await inbound.listen();
  const close = async (hurry: AbortSignal = AbortSignal.abort()): Promise<void> => {
    await inbound.close(hurry);
    await rm(spoolDirectory, { recursive: true, force: true });
  };
  return { port, hop, log, spoolDirectory, close, [Symbol.asyncDispose]: () => close() };
}

export async function testCertificate(): Promise<{ cert: Buffer; key: Buffer }> {
  return { cert: await readFile(testTls.cert), key: await readFile(testTls.key) };
}
