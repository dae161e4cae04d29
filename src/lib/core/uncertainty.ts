/**
 * Between the final dot and the reply to it nobody but the far end knows whether it has taken the message (RFC 5321 §4.5.3.2.6). A message whose
 * reply never came, because somebody crashed or fell silent just then, is uncertain: sent again it may arrive twice, not sent again it may
 * never arrive. Neither is right for every message, so the configuration says.
 */
import { isTemporary, type Response, reply } from './response.ts';

/**
 * - `retry`: try again; the message may arrive twice.
 * - `hold`: keep it until an operator has decided.
 * - `ask`: the same, and tell the sender, who can find out.
 */
export const UNCERTAIN_POLICIES = ['retry', 'hold', 'ask'] as const;

export type UncertainPolicy = (typeof UNCERTAIN_POLICIES)[number];

/** The reply that stands for one that never came. */
export function inDoubt(response: Response): Response {
  return isTemporary(response) ? { ...response, inDoubt: true } : response;
}

/** The process that sent the message was gone before it could write down what the answer was. */
export const cutOffReply: Response = inDoubt(
  reply(450, '4.4.2', 'cut off after the final dot, before the reply: the message may have been delivered'),
);
