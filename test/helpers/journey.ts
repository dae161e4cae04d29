/**
 * A place for one journey: a folder, configuration files on free ports, a database and a far end. What is started in it ends with the test;
 * so do the files.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'vitest';
import { type Sink, type SinkOptions, startSink } from '../../src/lib/smtp/sink/sink.ts';
import { gatewayYaml, type JourneyPorts, type JourneyTimes, routerYaml } from './journey-config.ts';
import { Gate } from './journey-gate.ts';
import { freePort } from './journey-ports.ts';
import { KoukanProcess } from './process.ts';

/** One process, or two joined by HTTP. */
export const shapes = ['serve', 'split'] as const;
export type Shape = (typeof shapes)[number];

export interface JourneyAsk {
  /** Default: an SQLite file in the folder. */
  readonly databaseUrl?: string;
  readonly times?: JourneyTimes;
  /** What the far end answers. */
  readonly far?: SinkOptions['reply'];
  /** What the far end offers in its answer to EHLO; by default all that a sink can. */
  readonly farOffers?: SinkOptions['extensions'];
  /** A far end that is not there until `journey.openFarEnd()`. */
  readonly farIsClosed?: boolean;
  /** The far end of another journey, instead of one of its own. */
  readonly farPort?: number;
  /** Flags of the daemons. */
  readonly flags?: readonly string[];
}

export class Journey {
  readonly folder: string;
  readonly ports: JourneyPorts;
  readonly databaseUrl: string;
  readonly routerFile: string;
  readonly gatewayFile: string;
  /** Of the processes that are started from now on. */
  env: Readonly<Record<string, string>> = {};
  readonly #context: TestContext;
  readonly #ask: JourneyAsk;
  #gate: Gate | undefined;
  #sink: Sink | undefined;

  private constructor(context: TestContext, ask: JourneyAsk, folder: string, ports: JourneyPorts) {
    this.#context = context;
    this.#ask = ask;
    this.folder = folder;
    this.ports = ports;
    this.databaseUrl = ask.databaseUrl ?? `sqlite:///${path.join(folder, 'koukan.sqlite')}`;
    this.routerFile = path.join(folder, 'router.yaml');
    this.gatewayFile = path.join(folder, 'gateway.yaml');
  }

  static async open(context: TestContext, ask: JourneyAsk = {}): Promise<Journey> {
    const folder = await mkdtemp(path.join(tmpdir(), 'koukan-journey-'));
    context.onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const [router, gateway] = [await freePort(), await freePort()];
    const [mx, msa, far] = [await freePort(), await freePort(), ask.farPort ?? (await freePort())];
    const journey = new Journey(context, ask, folder, { router, gateway, mx, msa, far });
    await mkdir(journey.temporaryFolder);
    await writeFile(journey.routerFile, routerYaml(journey.ports, journey.databaseUrl, ask.times));
    await writeFile(journey.gatewayFile, gatewayYaml(journey.ports, ask.times));
    if (ask.farIsClosed !== true && ask.farPort === undefined) await journey.openFarEnd();
    return journey;
  }

  /** Where its processes put their temporary files. */
  get temporaryFolder(): string {
    return path.join(this.folder, 'tmp');
  }

  get routerUrl(): string {
    return `http://127.0.0.1:${this.ports.router}`;
  }

  get gatewayUrl(): string {
    return `http://127.0.0.1:${this.ports.gateway}`;
  }

  get sink(): Sink {
    if (this.#sink === undefined) throw new Error('the far end is closed');
    return this.#sink;
  }

  /** Between the programs and the far end. */
  get gate(): Gate {
    if (this.#gate === undefined) throw new Error('the far end is closed');
    return this.#gate;
  }

  async openFarEnd(): Promise<void> {
    const { far, farOffers } = this.#ask;
    const sink = await startSink({
      ...(far !== undefined && { reply: far }),
      ...(farOffers !== undefined && { extensions: farOffers }),
    });
    this.#sink = sink;
    this.#context.onTestFinished(() => sink.close());
    this.#gate = await Gate.open(this.#context, this.ports.far, sink.port);
  }

  get #flags(): readonly string[] {
    return this.#ask.flags ?? [];
  }

  run(...args: readonly string[]): KoukanProcess {
    const env = { TMPDIR: this.temporaryFolder, ...this.env };
    return KoukanProcess.start(this.#context, { args, cwd: this.folder, env });
  }

  async router(): Promise<KoukanProcess> {
    const router = this.run('router', ...this.#flags, this.routerFile);
    await router.until('router ready');
    return router;
  }

  async gateway(): Promise<KoukanProcess> {
    const gateway = this.run('gateway', ...this.#flags, this.gatewayFile);
    await gateway.until('gateway ready');
    return gateway;
  }

  async serve(): Promise<KoukanProcess> {
    const serve = this.run('serve', ...this.#flags, this.routerFile, this.gatewayFile);
    await Promise.all([serve.until('router ready'), serve.until('gateway ready')]);
    return serve;
  }

  /** Everything, in one process or in two; in one, router and gateway are the same. */
  async start(shape: Shape): Promise<Started> {
    if (shape === 'serve') {
      const both = await this.serve();
      return new Started(both, both);
    }
    const [router, gateway] = await Promise.all([this.router(), this.gateway()]);
    return new Started(router, gateway);
  }
}

export class Started {
  readonly router: KoukanProcess;
  readonly gateway: KoukanProcess;

  constructor(router: KoukanProcess, gateway: KoukanProcess) {
    this.router = router;
    this.gateway = gateway;
  }

  get processes(): readonly KoukanProcess[] {
    return [...new Set([this.gateway, this.router])];
  }

  /** Stops all in order; answers the exit codes. */
  async stop(): Promise<readonly (number | null)[]> {
    const codes: (number | null)[] = [];
    for (const each of this.processes) codes.push((await each.terminate()).code);
    return codes;
  }
}
