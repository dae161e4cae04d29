/** Whose configuration a file is, by the sections it has. */
import { parseConfigDocument } from './document.ts';
import { InvalidConfigError } from './invalid-config.ts';

export type ConfigKind = 'router' | 'gateway';

const OWN_SECTIONS: Readonly<Record<ConfigKind, readonly string[]>> = {
  router: ['storage', 'endpoint', 'sender', 'rest_endpoint'],
  gateway: ['smtp_listener', 'smtp_output', 'rest_output'],
};

/** Throws `InvalidConfigError` when the sections are of neither, or of both. */
export function configKind(text: string, file: string): ConfigKind {
  const { value } = parseConfigDocument(text, file);
  const has = (kind: ConfigKind): boolean => OWN_SECTIONS[kind].some((section) => Object.hasOwn(value, section));
  if (has('router') !== has('gateway')) return has('router') ? 'router' : 'gateway';
  const message = has('router')
    ? 'this has sections of a router and of a gateway: they are two files'
    : "this is neither a router's nor a gateway's configuration (a router has 'storage', a gateway 'smtp_listener' or 'smtp_output')";
  throw new InvalidConfigError([{ file, line: 1, col: 1, message }]);
}
