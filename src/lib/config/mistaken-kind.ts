/** A router's configuration where a gateway's belongs, or the other way round: said as that, and not as a list of unknown keys. */
import { existsSync, statSync } from 'node:fs';
import { UserError } from '../core/errors.ts';
import { InvalidConfigError } from './invalid-config.ts';
import { type ConfigKind, configKind } from './kind.ts';
import { readConfigFile } from './load.ts';

/** Throws `UserError` (EX_USAGE). What is wrong with a file otherwise is for those who load it. */
export function refuseMistakenKinds(files: Readonly<Partial<Record<ConfigKind, string>>>): void {
  const { router, gateway } = files;
  const isRouterWrong = router !== undefined && kindOf(router) === 'gateway';
  const isGatewayWrong = gateway !== undefined && kindOf(gateway) === 'router';
  if (isRouterWrong && isGatewayWrong) {
    throw new UserError(
      `the router's configuration comes first, then the gateway's: koukan serve ${gateway} ${router}`,
    );
  }
  const what = (file: string, is: ConfigKind): string => `${file} is the configuration of a ${is}`;
  if (isRouterWrong) throw new UserError(`${what(router, 'gateway')}, and a router's is needed here`);
  if (isGatewayWrong) throw new UserError(`${what(gateway, 'router')}, and a gateway's is needed here`);
}

function kindOf(file: string): ConfigKind | undefined {
  // What comes out of a pipe can be read once, by those who load it.
  if (!existsSync(file) || !statSync(file).isFile()) return undefined;
  try {
    return configKind(readConfigFile(file), file);
  } catch (error) {
    if (error instanceof InvalidConfigError) return undefined;
    throw error;
  }
}
