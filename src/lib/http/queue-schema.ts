/** The JSON of lists and histories: what `GET /transactions` and `GET /transactions/{id}/history` answer. Keys are only ever added. */
import { z } from 'zod';
import { LISTED_STATES } from '../core/listed-state.ts';

const time = z.iso.datetime();
const hostPort = z.tuple([z.string(), z.int()]);
const response = z.strictObject({ code: z.int(), message: z.string().exactOptional() });
const params = z.array(z.strictObject({ k: z.string(), p: z.string().exactOptional() }));
const mailbox = z.strictObject({ m: z.string(), e: params.exactOptional() });

const summaryShape = {
  id: z.string(),
  uri: z.url().describe('The transaction itself.'),
  sender: z.string(),
  tag: z.string().exactOptional(),
  created_at: time,
  mail_from: z.string().exactOptional().describe('The address; empty for the null reverse-path.'),
  rcpt_to: z.array(z.string()),
  state: z.enum(LISTED_STATES),
  attempts: z.int().describe('So far, one that is under way included.'),
  next_attempt_at: time.exactOptional(),
  last_reply: response.exactOptional().describe('What decided the newest attempt.'),
  outcome: z.string().exactOptional().describe('Present: it has ended.'),
  reason: z.string().exactOptional().describe('Why it has ended, for people to read.'),
  parent: z.string().exactOptional().describe('The conversation or the transaction it came from.'),
} as const;

export const summarySchema = z.strictObject(summaryShape);

export const listSchema = z.strictObject({
  transactions: z.array(summarySchema).describe('The newest first.'),
  next: z.url().exactOptional().describe('The next page. A page can be short, or empty, and still have one.'),
});

const attempt = z.strictObject({
  number: z.int(),
  started_at: time,
  ended_at: time.exactOptional(),
  dot_sent_at: time
    .exactOptional()
    .describe('The end of the message went out; without `ended_at` nobody knows whether it was taken.'),
  hosts: z.array(hostPort).describe('Offered the message, in this order; the last one gave the replies.'),
  mail_response: response.exactOptional(),
  rcpt_response: z.array(response.nullable()).exactOptional(),
  data_response: response.exactOptional(),
});

const policy = z.strictObject({
  tag: z.string(),
  name: z.string(),
  action: z.string(),
  rcpt: z.string().exactOptional(),
  place: z.string().exactOptional().describe('Where it is written: file:line.'),
});

export const historySchema = z.strictObject({
  ...summaryShape,
  envelope: z.strictObject({ mail_from: mailbox.exactOptional(), rcpt_to: z.array(mailbox) }),
  origin: z.strictObject({
    remote_host: hostPort.exactOptional(),
    local_host: hostPort.exactOptional(),
    smtp_meta: z.record(z.string(), z.unknown()).exactOptional(),
  }),
  retry: z.boolean(),
  notification: z.boolean(),
  cancelled: z.boolean(),
  signals: z.record(z.string(), z.unknown()).describe('What filters observed.'),
  policies: z.array(policy).describe('Policies that matched.'),
  attempt_list: z.array(attempt),
  next_reason: z.string().exactOptional().describe('Why there is a next attempt, or what is waited for.'),
  in_work_at: z.string().exactOptional().describe('The router that has it in work.'),
  blobs: z.array(z.strictObject({ name: z.string(), size: z.int(), finalized: z.boolean() })),
  children: z.array(summarySchema).describe('Its notification, or the recipients of a conversation.'),
});

export type SummaryJson = z.output<typeof summarySchema>;
export type ListJson = z.output<typeof listSchema>;
export type HistoryJson = z.output<typeof historySchema>;
