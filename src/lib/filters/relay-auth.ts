/** `relay_auth`, the gate of older configurations: nobody may send but, with `smtp_auth: true`, clients that have authenticated. */
import { z } from 'zod';
import { defineFilter, type Filter } from '../chain/filter.ts';
import { reply } from '../core/response.ts';

const notAuthorized = reply(550, '5.7.1', 'not authorized');

export const relayAuth = defineFilter({
  name: 'relay_auth',
  summary: 'Refuses clients that have not authenticated; newer files use policy_action with smtp_auth.',
  config: z.strictObject({
    smtp_auth: z.boolean().default(false).describe('Let clients pass that have authenticated over SMTP.'),
  }),
  create: (c) => {
    const gate: Filter = {
      mail: (tx, from, next) =>
        c.smtp_auth && tx.smtpMeta?.auth === true ? next(from) : Promise.resolve(notAuthorized),
    };
    return () => gate;
  },
});
