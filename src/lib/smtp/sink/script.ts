/** What a sink answers: everything is accepted, except what a script, or a recipient's own name, asks to be treated otherwise. */
import { type Response, reply } from '../../core/response.ts';

/** `rcpt` and `dot` (the end of the message) are the ones that know a recipient. */
export type SinkStage = 'connect' | 'hello' | 'starttls' | 'mail' | 'rcpt' | 'data' | 'dot';

/** A reply; or silence for as long as the connection lasts; or a connection that breaks; or `undefined` for what is usual. */
export type SinkAnswer = Response | 'hang' | 'drop' | undefined;

/**
 * Decides about one step. `address` is the reverse-path at `mail`, the recipient at `rcpt`, and at `dot` each recipient in LMTP; in SMTP the
 * only recipient, or `''` when there are several.
 */
export type SinkScript = (stage: SinkStage, address: string) => SinkAnswer;

/**
 * The magic local parts: a recipient that begins with `rcpttemp`, `rcptperm` or `rcpttimeout` is refused or left hanging at RCPT, one that
 * begins with `datatemp`, `dataperm` or `datatimeout` at the end of the message.
 */
export const magicReplies: SinkScript = (stage, address) => {
  if (stage !== 'rcpt' && stage !== 'dot') return undefined;
  const phase = stage === 'rcpt' ? 'rcpt' : 'data';
  const local = address.toLowerCase();
  if (local.startsWith(`${phase}temp`)) return reply(450, '4.2.0', `${phase} temp`);
  if (local.startsWith(`${phase}perm`)) return reply(550, '5.2.0', `${phase} perm`);
  return local.startsWith(`${phase}timeout`) ? 'hang' : undefined;
};
