/** Logs a session in with AUTH PLAIN (RFC 4954, RFC 4616). Relaying between servers needs none of it; the tools do. */
import { isOk, type Response, reply } from '../../core/response.ts';
import type { Capabilities } from './capabilities.ts';
import type { Dialogue } from './dialogue.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Answers with the refusal, or with `undefined` when the server has accepted. */
export async function authenticate(
  dialogue: Dialogue,
  capabilities: Capabilities,
  { user, password }: Credentials,
): Promise<Response | undefined> {
  const mechanisms = (capabilities.get('AUTH') ?? '').toUpperCase().split(/\s+/);
  if (!mechanisms.includes('PLAIN')) return reply(503, '5.7.4', 'the server does not offer AUTH PLAIN');
  if (`${user}${password}`.includes('\0')) return reply(501, '5.5.4', 'a user name or password cannot contain NUL');
  const token = Buffer.from(`\0${user}\0${password}`, 'utf8').toString('base64');
  const answer = await dialogue.ask(`AUTH PLAIN ${token}`, 'at AUTH');
  return isOk(answer) ? undefined : answer;
}
