/** The part of a delivery status notification that people read: what happened to which address, in the far end's own words. */
import { isPermanent, responseLines } from '../core/response.ts';
import { formatDate } from './date.ts';
import type { DsnAsk } from './dsn-ask.ts';

export function dsnText(ask: DsnAsk): Buffer {
  const { response, original } = ask;
  const answer = responseLines(response).map((line) => `    ${response.code} ${line}`.trimEnd());
  const lines = [
    `This is the mail system at ${ask.reportingDomain}.`,
    '',
    HEADLINES[ask.action],
    '',
    `    ${original.rcpt}`,
    '',
    ...(ask.action === 'delivered' ? [] : [answerHeadline(ask), '', ...answer, '']),
    ...advice(ask),
    '',
    `The message arrived here on ${formatDate(original.arrivalAt)}.`,
    ...(original.headerBlock.length === 0 ? [] : ['Its header is attached.']),
  ];
  return Buffer.from(`${lines.map(oneLine).join('\r\n')}\r\n`);
}

const HEADLINES: Readonly<Record<DsnAsk['action'], string>> = {
  failed: 'Your message could not be delivered to this recipient:',
  delayed: 'Your message has not been delivered to this recipient yet:',
  delivered: 'Your message was delivered to this recipient:',
};

function answerHeadline({ remoteMta }: DsnAsk): string {
  return remoteMta === undefined ? 'The answer was:' : `The answer of ${remoteMta} was:`;
}

function advice({ action, response, retryUntil, lastAttemptAt }: DsnAsk): readonly string[] {
  if (action === 'delivered') return ['Nothing needs to be done.'];
  if (action === 'delayed') {
    const until = retryUntil === undefined ? '' : ` until ${formatDate(retryUntil)}`;
    return [`It will be tried again${until}. Nothing needs to be done now.`];
  }
  if (isPermanent(response)) {
    return [
      'The refusal is final, so it will not be tried again. If the address is right, ask its',
      'owner another way.',
    ];
  }
  return [
    `It was last tried on ${formatDate(lastAttemptAt)} and will not be tried again.`,
    'You may send it once more.',
  ];
}

function oneLine(text: string): string {
  return text.replace(/[\x00-\x1f\x7f]/g, ' ');
}
