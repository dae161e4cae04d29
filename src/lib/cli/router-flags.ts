/** The flags of every command that asks a router something over REST: where it is, and who asks. */
import { LISTED_STATES } from '../core/listed-state.ts';
import { Flags } from './oclif.ts';

export const routerFlags = {
  url: Flags.string({ description: "The router's base URL.", default: 'http://127.0.0.1:8000', env: 'KOUKAN_URL' }),
  token: Flags.string({
    description:
      'Bearer token, for a router that asks for one. Others on this machine can see it here: use the variable or a file.',
    env: 'KOUKAN_TOKEN',
  }),
  'token-file': Flags.string({ description: 'File with the bearer token.' }),
  json: Flags.boolean({ description: 'Print JSON.' }),
} as const;

/** Which transactions a command is about. */
export const filterFlags = {
  sender: Flags.string({ description: 'Only those of this sender.' }),
  state: Flags.string({
    description: `Only those in this state: ${LISTED_STATES.join(', ')}.`,
    options: [...LISTED_STATES],
  }),
  to: Flags.string({ description: 'Only those to this address, or to this domain.' }),
  from: Flags.string({ description: "Only those with this reverse-path; '<>' for none." }),
  parent: Flags.string({ description: 'Only those out of this conversation, or about this transaction.' }),
} as const;

export interface RouterFlags {
  readonly url: string;
  readonly token?: string | undefined;
  readonly 'token-file'?: string | undefined;
}

/** The flags as the tools take them. */
export function routerAsk(flags: RouterFlags): {
  readonly url: string;
  readonly token?: string;
  readonly tokenFile?: string;
} {
  const { url, token, 'token-file': tokenFile } = flags;
  return { url, ...(token !== undefined && { token }), ...(tokenFile !== undefined && { tokenFile }) };
}

export interface FilterFlags {
  readonly sender?: string | undefined;
  readonly state?: string | undefined;
  readonly to?: string | undefined;
  readonly from?: string | undefined;
  readonly parent?: string | undefined;
}

/** As the query of a list; what was not given is not asked. */
export function filterAsk({ sender, state, to, from, parent }: FilterFlags): Readonly<Record<string, string>> {
  const given = Object.entries({ sender, state, to, from, parent }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string>;
}
