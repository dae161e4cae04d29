/**
 * The JSON of the REST protocol as schemas (protocol §2): what a create and a PATCH may contain, and what every answer contains. They check
 * requests, and the OpenAPI document is made from them, so the two cannot differ.
 */
import { z } from 'zod';
import { limits } from '../core/limits.ts';
import { isPathTooLong } from '../core/mailbox.ts';
import { nearestName } from '../core/nearest-name.ts';

/** An object with these keys and no other; an unknown key is answered with the nearest valid name. */
function strict<S extends z.core.$ZodLooseShape>(shape: S) {
  const names = Object.keys(shape);
  return z.strictObject(shape, {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      const key = issue.keys[0] ?? '';
      const nearest = nearestName(key, names);
      return nearest === undefined ? 'unknown field' : `unknown field; did you mean "${nearest}"?`;
    },
  });
}

/**
 * Text without control characters: it ends up in SMTP commands, headers and logs. Half a surrogate pair has no UTF-8, so it would become
 * another character, and an address another address.
 */
const line = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .regex(/^[^\u0000-\u001f\u007f\ud800-\udfff]*$/u, 'must not contain control characters or lone surrogates');

const name = line(limits.requestNameChars).min(1);

const hostPort = z
  .tuple([line(255).min(1), z.int().min(0).max(65_535)])
  .describe('Host (an IP address without brackets, or a name) and port.');

const esmtpParam = strict({
  k: line(limits.requestMailboxChars)
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]*$/, 'must be an ESMTP keyword')
    .describe('Keyword, as written.'),
  p: line(limits.requestMailboxChars)
    .regex(/^[^ =]+$/u, 'must be an ESMTP value')
    .exactOptional()
    .describe('Value; absent when the parameter has none.'),
});

const mailboxOf = (address: z.ZodString) =>
  strict({
    m: address.describe('The address, without angle brackets.'),
    e: z
      .array(esmtpParam)
      .max(limits.rcptParamsPerCommand)
      .exactOptional()
      .describe('ESMTP parameters, in order and as written.'),
  });

// Whether it is an address at all is not for HTTP to say: a gateway passes on what an SMTP client wrote, and policies answer it.
const envelopeMailbox = mailboxOf(
  line(limits.smtpPathBytes).refine((address) => !isPathTooLong(address), {
    error: `must not be longer than ${limits.smtpPathBytes} octets`,
  }),
);
const mailFrom = envelopeMailbox.describe('An empty address is the null reverse-path.');
const rcptTo = z.array(envelopeMailbox).min(1).max(limits.rcptsPerTransaction);

const smtpMeta = strict({
  ehlo_host: line(limits.requestMailboxChars).nullable().exactOptional(),
  esmtp: z.boolean().nullable().exactOptional().describe('EHLO rather than HELO.'),
  tls: z.boolean().nullable().exactOptional(),
  auth: z.boolean().nullable().exactOptional().describe('The client authenticated.'),
}).describe('What the SMTP session knew.');

const filterOutput = z
  .record(z.string(), z.record(z.string(), z.unknown()))
  .describe('Signals of an earlier hop, by filter.');

const partContent = strict({
  inline: z.string().exactOptional(),
  create_id: name.exactOptional().describe('The part is uploaded later, under this id.'),
  reuse_uri: z.string().max(4096).exactOptional().describe('A part of an earlier transaction; wins over create_id.'),
}).refine((content) => Object.keys(content).length > 0, 'needs one of inline, create_id, reuse_uri');

const builderPart = strict({
  content_type: line(255).regex(/^[^\s/]+\/[^\s/]+$/, 'must be type/subtype'),
  content: partContent,
  filename: z.string().max(4096).exactOptional(),
  content_id: line(998).exactOptional(),
});

const parts = z.array(builderPart).max(limits.messageBuilderParts);

const messageBuilder = strict({
  headers: z
    .array(z.tuple([line(998).min(1), z.unknown()]))
    .max(limits.messageBuilderParts)
    .exactOptional()
    .describe('Name and value, in order. Values of from, to, cc, bcc, date and the ids are structured.'),
  text_body: parts.exactOptional().describe('The root text, then its alternatives.'),
  related_attachments: parts.exactOptional(),
  file_attachments: parts.exactOptional(),
});

const body = strict({
  inline: z.string().exactOptional().describe('The whole message (RFC 5322).'),
  reuse_uri: z.string().max(4096).exactOptional().describe('The body of an earlier transaction.'),
  message_builder: messageBuilder.exactOptional(),
}).refine((value) => Object.keys(value).length <= 1, 'must have one of inline, reuse_uri, message_builder');

const senderName = strict({ name: name.exactOptional(), tag: name.exactOptional() }).describe(
  'The name is that of the path; the tag selects a variant of the sender.',
);

/** `POST /senders/{sender}/transactions` (column C of §2.1). */
export const createSchema = strict({
  sender: senderName.exactOptional(),
  remote_host: hostPort.exactOptional(),
  local_host: hostPort.exactOptional(),
  mail_from: mailFrom.exactOptional(),
  rcpt_to: rcptTo.exactOptional(),
  smtp_meta: smtpMeta.exactOptional(),
  body: body.exactOptional(),
  filter_output: filterOutput.exactOptional(),
});

/** `PATCH /transactions/{id}` (column U of §2.1). */
export const updateSchema = strict({
  mail_from: mailFrom.exactOptional(),
  rcpt_to: rcptTo.exactOptional().describe('Recipients to add.'),
  rcpt_to_list_offset: z
    .int()
    .min(0)
    .exactOptional()
    .describe('How many recipients are there already; required once there are any.'),
  filter_output: filterOutput.exactOptional(),
});

export type CreateJson = z.output<typeof createSchema>;
export type UpdateJson = z.output<typeof updateSchema>;
export type MailboxJson = z.output<typeof mailFrom>;

const empty = z.strictObject({});
const response = z.strictObject({ code: z.int(), message: z.string().exactOptional() });
const blobStatus = z.strictObject({ uri: z.url(), finalized: z.literal(true).exactOptional() });

/** What a create, a read and a PATCH answer (column R of §2.1): `{}` stands for what is there but not shown. */
export const viewSchema = z.strictObject({
  remote_host: hostPort.exactOptional(),
  local_host: hostPort.exactOptional(),
  mail_from: empty.exactOptional(),
  rcpt_to: z.array(empty).exactOptional(),
  sender: empty,
  filter_output: empty.exactOptional(),
  mail_response: response.exactOptional(),
  rcpt_response: z.array(response).exactOptional().describe('In the order of rcpt_to.'),
  data_response: response.exactOptional(),
  attempt_count: z.int().min(1).exactOptional(),
  retry: empty.exactOptional().describe('Present: it is retried.'),
  notification: empty.exactOptional().describe('Present: a failure is reported to the sender.'),
  cancelled: z.literal(true).exactOptional(),
  final_attempt_reason: z.string().exactOptional().describe('Present: it is not tried again. For people to read.'),
  body: z
    .union([
      z.strictObject({ blob_status: blobStatus }),
      z.strictObject({ message_builder: z.strictObject({ blob_status: z.record(z.string(), blobStatus) }) }),
    ])
    .exactOptional(),
});

export type ViewJson = z.output<typeof viewSchema>;

/** An error (RFC 9457). */
export const problemSchema = z.strictObject({
  type: z.literal('about:blank'),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  pointer: z.string().exactOptional().describe('The field at fault (RFC 6901).'),
});

export type ProblemJson = z.output<typeof problemSchema>;
