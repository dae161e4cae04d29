/** Finds out how well-formed the message is, and what its header says of hops and authors. It never rejects: that is a policy's work. */
import { z } from 'zod';
import { defineFilter } from '../chain/filter.ts';
import { findParam } from '../core/mailbox.ts';
import { messageValidationSignal } from '../core/signals/message-validation.ts';
import { validateMessage } from '../message/mime/validity.ts';

export const messageValidation = defineFilter({
  name: 'message_validation',
  summary: 'Measures how well-formed the message is, counts its Received headers and reads its From.',
  config: z.strictObject({}),
  produces: [messageValidationSignal],
  create: () => () => ({
    async data(tx, body, next) {
      // RFC 6531 §3.4: UTF-8 in a header has to be announced.
      const utf8 = tx.mailFrom !== undefined && findParam(tx.mailFrom, 'SMTPUTF8') !== undefined;
      const found = await validateMessage(body, { utf8 });
      tx.signals.set(messageValidationSignal, found);
      if (found.err !== undefined) tx.log.debug({ status: found.status, err: found.err }, 'message validated');
      return next(body);
    },
  }),
});
