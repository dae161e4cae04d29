/** Notifications: the message that tells a sender what became of one recipient, as a transaction of its own (RFC 3464). */
import { bodyBytes, memoryBody } from '../core/body.ts';
import type { Deps } from '../core/deps.ts';
import { StoreUnavailableError } from '../core/errors.ts';
import { limits } from '../core/limits.ts';
import { domainOf, type EsmtpParam, mailbox } from '../core/mailbox.ts';
import { builderHeaderBlock } from '../message/builder.ts';
import { isBuilderBody } from '../message/builder-body.ts';
import { buildDsn } from '../message/dsn.ts';
import { type DsnAsk, isAscii } from '../message/dsn-ask.ts';
import { readHeaderBlock } from '../message/headers.ts';
import { BODY_BLOB, type NewTransaction } from '../store/store.ts';
import { type Report, requestOf } from './report.ts';
import { newTransactionId } from './transaction-id.ts';
import type { Work } from './work.ts';

export interface NotifySettings {
  /** The From of every notification, and by its domain the Reporting-MTA. */
  readonly mailerDaemonMailbox: string | undefined;
  readonly restIdEntropy: number;
}

/** Whether what becomes of this transaction can be reported to its sender. */
export function canNotify(work: Work, settings: NotifySettings): boolean {
  return work.facts.route.handler.notification !== undefined && settings.mailerDaemonMailbox !== undefined;
}

/** Whether a permanent failure of this transaction would not go unheard: it is reported, or nobody wants to hear of it. */
export function isFailureHeard(work: Work, settings: NotifySettings): boolean {
  return canNotify(work, settings) || requestOf(work)?.notify.failure !== true;
}

export interface NotifyEnv {
  readonly deps: Deps;
  readonly notify: NotifySettings;
  /** Rather without the original message than not at all, also when it is the store that does not give it. */
  readonly isImpatient?: boolean;
}

/**
 * The transaction to create together with what it reports. None when notifications are not configured, or when this one cannot be written:
 * that is logged, and must not keep the outcome from being recorded.
 */
export async function notificationFor(work: Work, report: Report, env: NotifyEnv): Promise<readonly NewTransaction[]> {
  const { deps, notify: settings } = env;
  const log = deps.log.child({ tx: work.facts.id });
  const target = work.facts.route.handler.notification;
  const from = settings.mailerDaemonMailbox;
  const { mailFrom } = work.live.state;
  if (mailFrom === undefined || target === undefined || from === undefined) {
    if (report.action === 'failed')
      log.warn({}, 'a failure cannot be reported: no notification sender or mailer_daemon_mailbox is configured');
    return [];
  }
  const dsn = await write(work, report, { from, to: mailFrom.address }, env);
  if (dsn === undefined) return [];
  const now = deps.clock.now();
  const id = newTransactionId(deps, settings.restIdEntropy);
  log.info({ notification: id, action: report.action }, 'a notification is due');
  return [
    {
      record: {
        id,
        sender: target.sender,
        ...(target.tag !== undefined && { tag: target.tag }),
        origin: {},
        mailFrom: mailbox('', neededParams(dsn, mailFrom.address)),
        rcptTo: [mailbox(mailFrom.address)],
        // A notification is retried like any mail, and never causes another one.
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

/** What the notification needs on its way (RFC 6152, RFC 6531). */
function neededParams(dsn: Buffer, to: string): readonly EsmtpParam[] {
  return [
    ...(dsn.every((byte) => byte < 0x80) ? [] : [{ keyword: 'BODY', value: '8BITMIME' }]),
    ...(isAscii(to.slice(0, to.lastIndexOf('@'))) ? [] : [{ keyword: 'SMTPUTF8' }]),
  ];
}

/** A message that cannot be quoted is still reported; one whose report cannot be written at all is not. */
async function write(
  work: Work,
  report: Report,
  addresses: Pick<DsnAsk, 'from' | 'to'>,
  env: NotifyEnv,
): Promise<Buffer | undefined> {
  const { deps } = env;
  const original = await quote(work, report, env);
  for (const quoted of [original, NOT_QUOTED]) {
    try {
      return buildDsn(askOf(work, report, addresses, quoted, deps.clock.now()), deps);
    } catch (error) {
      deps.log.error({ tx: work.facts.id, error }, 'a notification could not be written');
    }
  }
  return undefined;
}

type Quoted = Pick<DsnAsk['original'], 'headerBlock' | 'message'>;

const NOT_QUOTED: Quoted = { headerBlock: Buffer.alloc(0) };

function askOf(
  work: Work,
  { action, response, isUncertain }: Report,
  addresses: Pick<DsnAsk, 'from' | 'to'>,
  quoted: Quoted,
  now: number,
): DsnAsk {
  const { facts, live } = work;
  const { envelopeId, originalRecipient } = requestOf(work) ?? {};
  const { deadlineMs } = facts.route.handler.retryParams;
  const mta = response.source?.mta;
  return {
    action,
    reportingDomain: domainOf(addresses.from) ?? 'localhost',
    ...addresses,
    original: {
      rcpt: live.state.rcptTo[0]?.address ?? '',
      ...(originalRecipient !== undefined && { originalRecipient }),
      arrivalAt: facts.createdAt,
      ...quoted,
      ...(envelopeId !== undefined && { envelopeId }),
    },
    response,
    lastAttemptAt: now,
    ...(mta !== undefined && { remoteMta: mta }),
    ...(isUncertain === true
      ? { isUncertain }
      : action === 'delayed' && deadlineMs !== null && { retryUntil: facts.createdAt + deadlineMs }),
  };
}

/** The header of the message, or all of it; while the store is away there is time to wait for it, since nothing can be recorded either. */
async function quote(work: Work, report: Report, { deps, isImpatient = false }: NotifyEnv): Promise<Quoted> {
  try {
    const headerBlock = await originalHeaders(work);
    const message = await wholeMessage(work, report);
    return { headerBlock, ...(message !== undefined && { message }) };
  } catch (error) {
    if (error instanceof StoreUnavailableError && !isImpatient) throw error;
    deps.log.error(
      { tx: work.facts.id, error },
      'a notification goes without the message it is about: it cannot be read',
    );
    return NOT_QUOTED;
  }
}

/** The header of the message; of a message builder also before its parts were uploaded; empty when there is none yet. */
async function originalHeaders(work: Work): Promise<Buffer> {
  const { body } = work.live.state;
  const { messageBuilder } = work.facts;
  if (messageBuilder !== undefined && (body === undefined || isBuilderBody(body)))
    return builderHeaderBlock(messageBuilder);
  return body === undefined ? Buffer.alloc(0) : readHeaderBlock(body);
}

/** RFC 3461 §4.3: RET is about failures only; anything else comes back with its header. */
async function wholeMessage(work: Work, { action }: Report): Promise<Buffer | undefined> {
  const { body } = work.live.state;
  if (action !== 'failed' || requestOf(work)?.returnsMessage !== true) return undefined;
  if (body === undefined || body.refusal !== undefined) return undefined;
  return body.size <= limits.dsnMessageBytes ? bodyBytes(body) : undefined;
}
