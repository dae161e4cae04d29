/**
 * `message_builder`: marks where the message of a transaction that was submitted as JSON is built. It is built already when a chain begins,
 * and one that cannot be built was answered, so that a filter that reads messages may stand before this one too.
 */
import { z } from 'zod';
import { defineFilter, type Filter } from '../chain/filter.ts';

const NOTHING_TO_DO: Filter = {};

export const messageBuilder = defineFilter({
  name: 'message_builder',
  summary:
    'Marks where the message of a transaction that was submitted as JSON instead of RFC 5322 text is built; it is there before the chain begins.',
  config: z.strictObject({}),
  create: () => () => NOTHING_TO_DO,
});
