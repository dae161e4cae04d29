/**
 * Loads a configuration: YAML → strict schema → defaults → frozen, typed values with positions. Every mistake is found in one go and
 * thrown as one `InvalidConfigError`; what is merely odd is in `config.source.warnings`.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { z } from 'zod';
import { accessFileMistakes } from './access-files.ts';
import { deepFreeze } from './deep-freeze.ts';
import { parseConfigDocument } from './document.ts';
import { fileMistakes, readProblem } from './file-checks.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { gatewayConfig } from './gateway-mapping.ts';
import { gatewayMistakes, gatewayWarnings } from './gateway-references.ts';
import { gatewaySchema } from './gateway-schema.ts';
import { formatMistake, InvalidConfigError, placeMistakes } from './invalid-config.ts';
import { ignoredKeys, olderKey } from './older-keys.ts';
import { findAll, isMapping } from './path-pattern.ts';
import { restAccessWarnings } from './rest-access.ts';
import { entropyWarnings } from './rest-id-entropy.ts';
import type { ChainStepConfig, RouterConfig } from './router-config.ts';
import { routerConfig } from './router-mapping.ts';
import { routerMistakes, routerWarnings } from './router-references.ts';
import { routerSchema } from './router-schema.ts';
import { schemaMistakes } from './schema-mistakes.ts';
import type { ConfigMistake, ConfigSource } from './source.ts';
import { unresolvedHostWarnings } from './unresolved-hosts.ts';

export interface LoadOptions {
  /** Also read the certificates, keys and secrets that are named. */
  readonly checkFiles?: boolean;
  /** Also check each step of each chain, so that its mistakes are reported together with all others (`stepChecker` of the chains). */
  readonly checkStep?: (step: ChainStepConfig) => readonly ConfigMistake[];
  /** Found elsewhere (in the plugins it names), to be reported together with all others. */
  readonly mistakes?: readonly ConfigMistake[];
}

/** Reads and checks the router's configuration file. Throws `InvalidConfigError`, or says why the file cannot be read. */
export function loadRouterConfig(file: string, options: LoadOptions = { checkFiles: true }): RouterConfig {
  return parseRouterConfig(readConfigFile(file), file, options);
}

/** Reads and checks the gateway's configuration file. */
export function loadGatewayConfig(file: string, options: LoadOptions = { checkFiles: true }): GatewayConfig {
  return parseGatewayConfig(readConfigFile(file), file, options);
}

export function parseRouterConfig(text: string, file: string, options: LoadOptions = {}): RouterConfig {
  const findings: Findings = {
    mistakes: routerMistakes,
    warnings: (root) => [
      ...routerWarnings(root),
      ...unresolvedHostWarnings(root),
      ...entropyWarnings(root, 'global.rest_id_entropy'),
      ...restAccessWarnings(root),
    ],
    tlsPlaces: ['rest_listener'],
    hopPlaces: 'rest_endpoint.*',
  };
  const { yaml, source } = checkedYaml(routerSchema, findings, text, file, options);
  return deepFreeze(routerConfig(yaml, source, pathResolver(file)));
}

export function parseGatewayConfig(text: string, file: string, options: LoadOptions = {}): GatewayConfig {
  const findings: Findings = {
    mistakes: gatewayMistakes,
    warnings: (root) => [
      ...gatewayWarnings(root),
      ...entropyWarnings(root, 'rest_listener.rest_id_entropy'),
      ...restAccessWarnings(root),
    ],
    tlsPlaces: ['rest_listener', 'smtp_listener.services.*'],
    hopPlaces: 'rest_output.*',
  };
  const { yaml, source } = checkedYaml(gatewaySchema, findings, text, file, options);
  return deepFreeze(gatewayConfig(yaml, source, pathResolver(file)));
}

/** Files named in a configuration are relative to it (the database of `storage.url` alone is relative to the current directory). */
export function pathResolver(configFile: string): (file: string) => string {
  const directory = path.dirname(path.resolve(configFile));
  return (file) => path.resolve(directory, file);
}

/** The text of a configuration file; throws `InvalidConfigError` when it cannot be read. */
export function readConfigFile(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new InvalidConfigError([{ file, message: readProblem(file, error) }]);
  }
}

interface Findings {
  readonly mistakes: (root: unknown) => readonly ConfigMistake[];
  readonly warnings: (root: unknown) => readonly ConfigMistake[];
  readonly tlsPlaces: readonly string[];
  readonly hopPlaces: string;
}

function checkedYaml<S extends z.ZodType>(
  schema: S,
  findings: Findings,
  text: string,
  file: string,
  options: LoadOptions,
): { readonly yaml: z.output<S>; readonly source: ConfigSource } {
  const { value, source } = parseConfigDocument(text, file);
  const parsed = schema.safeParse(value, { reportInput: true });
  const mistakes = [
    ...schemaMistakes(schema, parsed.error?.issues ?? [], olderKey),
    ...findings.mistakes(value),
    ...(options.mistakes ?? []),
    ...(options.checkFiles ? fileMistakes(value, findings.tlsPlaces, pathResolver(file)) : []),
    ...(options.checkFiles ? accessFileMistakes(value, findings.hopPlaces, pathResolver(file)) : []),
    ...(options.checkStep === undefined ? [] : plainSteps(value).flatMap(options.checkStep)),
  ];
  if (!parsed.success || mistakes.length > 0) throw new InvalidConfigError(placeMistakes(source, mistakes));
  const warnings = placeMistakes(source, [...ignoredKeyWarnings(value), ...findings.warnings(value)]);
  const lines = warnings.map((warning) => formatMistake({ ...warning, message: `warning: ${warning.message}` }));
  return { yaml: parsed.data, source: { ...source, warnings: lines } };
}

/** The steps of all chains, as far as they are steps. */
function plainSteps(root: unknown): ChainStepConfig[] {
  return findAll(root, 'endpoint.*.chain.*').flatMap(({ path: at, value }) => {
    if (!isMapping(value) || typeof value.filter !== 'string') return [];
    const { filter: _, ...options } = value;
    return [{ filter: value.filter, options, path: at }];
  });
}

function ignoredKeyWarnings(root: unknown): ConfigMistake[] {
  return ignoredKeys.flatMap(([pattern, message]) =>
    findAll(root, pattern).map(({ path: at }) => ({ path: at.slice(0, -1), key: String(at.at(-1)), message })),
  );
}
