/** Compiles the chain of every sender and tag of a router once, so that what starts is known to be whole. */
import { basename } from 'node:path';
import { InvalidConfigError, placeMistakes } from '../config/invalid-config.ts';
import { pathResolver } from '../config/load.ts';
import type { ChainConfig, OutputHandlerConfig, RouterConfig, SenderConfig } from '../config/router-config.ts';
import { ConfigError, type ConfigMistake } from '../config/source.ts';
import { type CompiledChain, type CompileEnv, checkedSteps, compileChain } from './compile.ts';
import type { ChainEnv } from './filter.ts';
import type { StepRegistry } from './step-registry.ts';

/** A sender, or one of its tags, ready to take transactions. */
export interface CompiledSender {
  readonly config: SenderConfig;
  readonly outputHandler: OutputHandlerConfig;
  readonly chain: CompiledChain;
}

export interface CompiledRouter {
  /** `undefined` when there is no such sender, or it has no such tag. */
  find(sender: string, tag: string | undefined): CompiledSender | undefined;
  readonly senders: readonly CompiledSender[];
}

/** What the steps need of the running program. */
export type RouterEnv = Pick<ChainEnv, 'deps' | 'hop' | 'children'>;

/** Throws `InvalidConfigError` with the mistakes of all chains, those that no sender uses included. */
export function compileRouter(config: RouterConfig, registry: StepRegistry, env: RouterEnv): CompiledRouter {
  const compileEnv: CompileEnv = {
    ...env,
    restEndpoints: config.restEndpoints,
    senders: config.senders,
    resolvePath: pathResolver(config.source.file),
    placeOf: (path) => `${basename(config.source.file)}:${config.source.position(path).line}`,
  };
  const mistakes: ConfigMistake[] = [];
  const collect = <T>(work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      mistakes.push(...error.mistakes);
      return undefined;
    }
  };
  for (const chain of config.chains.values()) collect(() => checkedSteps(chain, registry));
  const compiled = senderConfigs(config).flatMap((sender): CompiledSender[] => {
    const chain = config.chains.get(sender.outputChain);
    const done = chain && collect(() => compileSender(sender, chain, compileEnv, registry));
    return done === undefined ? [] : [done];
  });
  mistakes.push(...loopMistakes(config, compiled));
  if (mistakes.length > 0) throw new InvalidConfigError(placeMistakes(config.source, mistakes));
  const byKey = new Map(compiled.map((each) => [senderKey(each.config.name, each.config.tag), each]));
  return { find: (sender, tag) => byKey.get(senderKey(sender, tag)), senders: compiled };
}

function senderConfigs(config: RouterConfig): SenderConfig[] {
  return [...config.senders.values()].flatMap((family) => [family.untagged, ...family.tags.values()]);
}

function compileSender(
  sender: SenderConfig,
  chain: ChainConfig,
  env: CompileEnv,
  registry: StepRegistry,
): CompiledSender {
  return { config: sender, outputHandler: chain.outputHandler, chain: compileChain(chain, sender, env, registry) };
}

/** A chain that leads back to itself, by an exploder or `add_route`, would never deliver anything. */
function loopMistakes(config: RouterConfig, compiled: readonly CompiledSender[]): ConfigMistake[] {
  const leadsTo = new Map(
    compiled.map(({ config: from, chain }) => [
      senderKey(from.name, from.tag),
      chain.leadsTo.map(({ sender, tag }) => senderKey(sender, tag)),
    ]),
  );
  const isInLoop = (key: string): boolean => {
    const seen = new Set<string>();
    const ahead = [...(leadsTo.get(key) ?? [])];
    for (let next = ahead.pop(); next !== undefined; next = ahead.pop()) {
      if (next === key) return true;
      if (!seen.has(next)) ahead.push(...(leadsTo.get(next) ?? []));
      seen.add(next);
    }
    return false;
  };
  return compiled
    .filter(({ config: sender }) => isInLoop(senderKey(sender.name, sender.tag)))
    .map(({ config: sender, chain }) => loopMistake(config, sender, chain.incremental));
}

function loopMistake(config: RouterConfig, sender: SenderConfig, explodes: boolean): ConfigMistake {
  const index = [...config.senders.keys()].indexOf(sender.name);
  const tags = [...(config.senders.get(sender.name)?.tags.keys() ?? [])];
  const path = ['sender', index, ...(sender.tag === undefined ? [] : ['tag', tags.indexOf(sender.tag)])];
  const message = explodes
    ? "the exploder leads back to itself: write 'upstream_sender' or 'upstream_tag' of the chain that delivers"
    : 'its chain leads back to itself by add_route or an exploder: a message would be copied for ever';
  return { path, key: 'name', message };
}

function senderKey(sender: string, tag: string | undefined): string {
  return tag === undefined ? JSON.stringify([sender]) : JSON.stringify([sender, tag]);
}
