/**
 * Takes the message apart for receivers whose route asks for it (`receive_parsing`): structure, texts and decoded attachments go along with
 * the message, which itself passes unchanged.
 */
import { z } from 'zod';
import { defineFilter, type Filter } from '../chain/filter.ts';
import { parseMessage } from '../message/parse/parse-message.ts';
import { receiveParsingOf } from './routing/receive-parsing.ts';

const parser: Filter = {
  data(tx, body, next) {
    const ask = receiveParsingOf(tx.route?.options);
    if (ask === undefined) return next(body);
    return parseMessage(body, ask).then((parsed) => {
      tx.parsed = parsed;
      return next(body);
    });
  },
};

export const messageParser = defineFilter({
  name: 'message_parser',
  summary: 'Parses the message into JSON and decoded parts for a receiver that asks for it with `receive_parsing`.',
  config: z.strictObject({}),
  create: () => () => parser,
});
