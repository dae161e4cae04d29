// @ts-check
/**
 * Something of use: mail to a help desk has its ticket in the subject, as in `Subject: Re: [#1234] printer`. The filter finds it, publishes it
 * as a signal and adds it as a header; the matcher reads the signal, so that a policy can ask for a ticket.
 */
import { defineFilter, defineMatcher, prefixedBody, z } from 'koukan';

/** How much of a message is searched for its subject. */
const HEADER_BYTES = 65_536;

/**
 * The number, or null when there is none. Its wire name is what `filter_output` shows to the next hop.
 * @type {import('koukan').SignalType<number | null>}
 */
const ticket = { wireName: 'example.ticket', name: 'ticket', toJson: (number) => ({ number }) };

export const ticketFilter = defineFilter({
  name: 'ticket',
  summary: 'Finds the ticket in the subject and adds it as a header.',
  config: z.strictObject({
    header: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9-]*$/)
      .default('X-Ticket')
      .describe('Name of the header.'),
  }),
  produces: [ticket],
  create:
    ({ header }) =>
    () => ({
      async data(tx, body, next) {
        const found = /\[#(\d{1,9})\]/.exec(await subjectOf(body));
        tx.signals.set(ticket, found ? Number(found[1]) : null);
        return next(found ? prefixedBody(Buffer.from(`${header}: ${found[1]}\r\n`), body) : body);
      },
    }),
});

export const hasTicketMatcher = defineMatcher({
  name: 'has_ticket',
  summary: 'The subject names a ticket.',
  reads: 'data',
  consumes: [ticket],
  create: () => (tx) => {
    const number = tx.signals.get(ticket);
    if (number === undefined) return 'unmet';
    return number === null ? 'noMatch' : 'match';
  },
});

/**
 * A message may be large: it comes in chunks, and reading ends with the header.
 * @param {import('koukan').Body} body
 */
async function subjectOf(body) {
  let header = '';
  for await (const chunk of body.chunks()) {
    header += chunk.toString('latin1');
    if (header.includes('\r\n\r\n') || header.length > HEADER_BYTES) break;
  }
  // A field may be folded over several lines (RFC 5322 §2.2.3).
  const fields =
    header
      .split('\r\n\r\n', 1)[0]
      ?.slice(0, HEADER_BYTES)
      .replace(/\r\n(?=[ \t])/g, '') ?? '';
  return /^subject:(.*)$/im.exec(fields)?.[1] ?? '';
}
