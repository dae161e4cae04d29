/** Notifications (bounces): the message that tells a sender what became of one recipient, as a transaction of its own (RFC 3464). */
import { memoryBody } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { domainOf, mailbox } from '../core/mailbox.ts';
import type { Response } from '../core/response.ts';
import { builderHeaderBlock } from '../message/builder.ts';
import { isBuilderBody } from '../message/builder-body.ts';
import { buildDsn } from '../message/dsn.ts';
import { readHeaderBlock } from '../message/headers.ts';
import { BODY_BLOB, type NewTransaction } from '../store/store.ts';
import { newTransactionId } from './transaction-id.ts';
import type { Work } from './work.ts';

export interface NotifySettings {
  /** The From of every notification, and by its domain the Reporting-MTA. */
  readonly mailerDaemonMailbox: string | undefined;
  readonly restIdEntropy: number;
}

/** Whether a permanent failure of this transaction would be reported to its sender. */
export function canNotify(work: Work, settings: NotifySettings): boolean {
  return work.facts.route.handler.notification !== undefined && settings.mailerDaemonMailbox !== undefined;
}

/**
 * The transactions to create together with the failure of `work`: one notification, or none when none is due: the sender did not ask, the
 * reverse-path is null (RFC 5321 §4.5.5), or no chain for notifications is configured.
 */
export async function notificationsFor(
  work: Work,
  failure: Response,
  settings: NotifySettings,
  deps: Deps,
): Promise<readonly NewTransaction[]> {
  const { notification, mailFrom, rcptTo } = work.live.state;
  const target = work.facts.route.handler.notification;
  const rcpt = rcptTo[0];
  if (!notification || mailFrom === undefined || mailFrom.address === '' || rcpt === undefined) return [];
  if (target === undefined || settings.mailerDaemonMailbox === undefined) {
    deps.log.warn(
      { tx: work.facts.id },
      'a failure cannot be reported: no notification sender or mailer_daemon_mailbox is configured',
    );
    return [];
  }
  const now = deps.clock.now();
  const dsn = buildDsn(
    {
      reportingDomain: domainOf(settings.mailerDaemonMailbox) ?? 'localhost',
      from: settings.mailerDaemonMailbox,
      to: mailFrom.address,
      original: {
        rcpt: rcpt.address,
        arrivalAt: work.facts.createdAt,
        headerBlock: await originalHeaders(work),
      },
      response: failure,
      lastAttemptAt: now,
      action: 'failed',
    },
    deps,
  );
  return [
    {
      record: {
        id: newTransactionId(deps.rng, settings.restIdEntropy),
        sender: target.sender,
        ...(target.tag !== undefined && { tag: target.tag }),
        origin: {},
        mailFrom: mailbox(''),
        rcptTo: [mailbox(mailFrom.address)],
        // A bounce is retried like any mail, and never bounces itself.
        retry: true,
        notification: false,
        createdAt: now,
        parentId: work.facts.id,
        filterOutput: {},
      },
      blobs: [{ name: BODY_BLOB, source: { kind: 'body', body: memoryBody(dsn) } }],
      attempts: [],
      next: { kind: 'due', at: now },
    },
  ];
}

/** The header of the message; of a message builder also before its parts were uploaded; empty when there is none yet. */
async function originalHeaders(work: Work): Promise<Buffer> {
  const { body } = work.live.state;
  const { messageBuilder } = work.facts;
  if (messageBuilder !== undefined && (body === undefined || isBuilderBody(body)))
    return builderHeaderBlock(messageBuilder);
  return body === undefined ? Buffer.alloc(0) : readHeaderBlock(body);
}
