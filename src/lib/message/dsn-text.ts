/** The part of a delivery status notification that people read: what happened to which address, in the far end's own words, and what to do. */
import { isPermanent, responseLines } from '../core/response.ts';
import { formatDate } from './date.ts';
import type { DsnAction, DsnAsk } from './dsn-ask.ts';

export function dsnText(ask: DsnAsk): Buffer {
  const { original } = ask;
  const lines = [
    `This is the mail system at ${ask.reportingDomain}.`,
    '',
    ask.isUncertain === true ? UNCERTAIN : HEADLINES[ask.action],
    '',
    `    ${original.rcpt}`,
    ...writtenAs(ask),
    '',
    ...(isSuccess(ask.action) ? [] : answer(ask)),
    ...advice(ask),
    '',
    `The message arrived here on ${formatDate(original.arrivalAt)}.`,
    ...(original.envelopeId === undefined ? [] : [`Its envelope id is ${original.envelopeId}.`]),
    ...attached(ask),
  ];
  return Buffer.from(`${lines.map(oneLine).join('\r\n')}\r\n`);
}

const HEADLINES: Readonly<Record<DsnAction, string>> = {
  failed: 'Your message could not be delivered to this recipient:',
  delayed: 'Your message has not been delivered to this recipient yet:',
  delivered: 'Your message was delivered to this recipient:',
  relayed: 'Your message was passed on to the next mail system for this recipient:',
  expanded: 'Your message was passed on to everybody behind this address:',
};

const UNCERTAIN = 'Your message may or may not have been delivered to this recipient:';

function isSuccess(action: DsnAction): boolean {
  return action !== 'failed' && action !== 'delayed';
}

/** The address as the sender knows it, when it has become another one on its way. */
function writtenAs({ original }: DsnAsk): readonly string[] {
  const { originalRecipient: said, rcpt } = original;
  if (said === undefined || said.address.toLowerCase() === rcpt.toLowerCase()) return [];
  return [`    (you wrote to ${said.address})`];
}

function answer({ response, remoteMta }: DsnAsk): readonly string[] {
  const headline = remoteMta === undefined ? 'The answer was:' : `The answer of ${remoteMta} was:`;
  return [headline, '', ...responseLines(response).map((line) => `    ${response.code} ${line}`.trimEnd()), ''];
}

function advice({ action, response, retryUntil, lastAttemptAt, isUncertain }: DsnAsk): readonly string[] {
  if (isUncertain === true) {
    return [
      'All of it was sent, and no answer came back. It is not sent again by itself, because it would',
      'arrive twice if it has arrived. Please ask the recipient. If it has not arrived, send it',
      'again, or ask your mail administrator to have it sent again.',
    ];
  }
  switch (action) {
    case 'delivered':
    case 'expanded':
      return ['Nothing needs to be done.'];
    case 'relayed':
      return ['That system does not report deliveries, so this is the last you hear from here.'];
    case 'delayed': {
      const until = retryUntil === undefined ? '' : ` until ${formatDate(retryUntil)}`;
      return [`It will be tried again${until}. Nothing needs to be done now: do not send it again.`];
    }
    case 'failed':
      return isPermanent(response)
        ? [
            'The refusal is final, so it will not be tried again. If the address is right, ask its',
            'owner another way.',
          ]
        : [
            `It was last tried on ${formatDate(lastAttemptAt)} and will not be tried again.`,
            'You may send it once more.',
          ];
  }
}

function attached({ original }: DsnAsk): readonly string[] {
  if (original.message !== undefined) return ['All of it is attached.'];
  return original.headerBlock.length === 0 ? [] : ['Its header is attached.'];
}

function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, ' ');
}
