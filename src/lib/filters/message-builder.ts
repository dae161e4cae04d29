/** Sends the message that was built from message-builder JSON, or answers why it cannot be built. Other messages pass untouched. */
import { z } from 'zod';
import { defineFilter } from '../chain/filter.ts';
import { isBuilderBody } from '../message/builder-body.ts';

export const messageBuilder = defineFilter({
  name: 'message_builder',
  summary: 'Builds the message of a transaction that was submitted as JSON instead of RFC 5322 text',
  config: z.strictObject({}),
  create: () => () => ({
    async data(tx, body, next) {
      if (!isBuilderBody(body)) return next(body);
      const { message, fault } = body.builder;
      if (message !== undefined) return next(message);
      tx.log.info({ reply: fault.text }, 'the message cannot be built');
      return fault;
    },
  }),
});
