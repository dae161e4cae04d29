/** Matches a message that is less well-formed than it should be, or that has passed through too many hops. */
import { z } from 'zod';
import {
  type MessageValidation,
  messageValidationSignal,
  VALIDITY_LEVELS,
} from '../core/signals/message-validation.ts';
import { defineMatcher, type Verdict, verdictOf } from './matcher.ts';

const config = z
  .strictObject({
    validity_threshold: z.enum(VALIDITY_LEVELS).optional().describe('Matches a message below this level.'),
    max_received_headers: z.int().min(0).optional().describe('Matches a message with more Received headers.'),
  })
  .refine((c) => Object.values(c).some((wanted) => wanted !== undefined), {
    error: 'expected validity_threshold, max_received_headers, or both',
  });

type Bounds = z.output<typeof config>;

export const messageValidation = defineMatcher<Bounds>({
  name: 'message_validation',
  aliases: [messageValidationSignal.wireName],
  summary: 'The message is malformed, or it goes round in circles; with both options, both.',
  config,
  reads: 'data',
  impossible: (c) => (c.validity_threshold === 'NONE' ? 'no message is below NONE' : undefined),
  consumes: [messageValidationSignal],
  create: (c) => (tx) => {
    const found = tx.signals.get(messageValidationSignal);
    if (found === undefined) return 'unmet';
    const verdicts = [hopsVerdict(c, found), validityVerdict(c, found)];
    return verdicts.find((verdict) => verdict !== 'match') ?? 'match';
  },
});

/** What is not asked for matches anything. */
function hopsVerdict({ max_received_headers: max }: Bounds, { receivedHeaderCount }: MessageValidation): Verdict {
  if (max === undefined) return 'match';
  return receivedHeaderCount === undefined ? 'unmet' : verdictOf(receivedHeaderCount > max);
}

function validityVerdict({ validity_threshold: threshold }: Bounds, { status }: MessageValidation): Verdict {
  if (threshold === undefined) return 'match';
  return verdictOf(VALIDITY_LEVELS.indexOf(status) < VALIDITY_LEVELS.indexOf(threshold));
}
