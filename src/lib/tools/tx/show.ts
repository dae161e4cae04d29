/** `koukan tx show`: the whole story of a transaction, in the order in which somebody who wonders asks for it. */
import type { HistoryJson } from '../../http/queue-schema.ts';
import { shaped, summaryTable } from './list.ts';
import { plainText, replyText, shortTime } from './plain-text.ts';
import { type RouterAsk, withRouter } from './router-client.ts';
import { signalText } from './signal-text.ts';

export interface ShowAsk extends RouterAsk {
  readonly id: string;
  readonly json: boolean;
}

export async function runShow(ask: ShowAsk): Promise<void> {
  const history = await withRouter(ask, async (router) => {
    const id = router.transactionUrl(ask.id).pathname.split('/').at(-1) ?? '';
    const answer = await router.get(`transactions/${id}/history`);
    const { historySchema } = await import('../../http/queue-schema.ts');
    return shaped(historySchema, answer);
  });
  process.stdout.write(ask.json ? `${JSON.stringify(history, null, 2)}\n` : historyText(history));
}

/** For people; everything that came from elsewhere is made plain. */
export function historyText(tx: HistoryJson): string {
  const lines = [
    fact('transaction', tx.id),
    fact('state', stateText(tx)),
    ...(tx.next_attempt_at === undefined ? [] : [fact('next attempt', shortTime(tx.next_attempt_at))]),
    ...(tx.next_reason === undefined ? [] : [fact('', tx.next_reason)]),
    ...(tx.in_work_at === undefined ? [] : [fact('in work at', tx.in_work_at)]),
    fact('sender', tx.tag === undefined ? tx.sender : `${tx.sender}, tag ${tx.tag}`),
    fact('created', shortTime(tx.created_at)),
    ...(tx.parent === undefined ? [] : [fact('came out of', tx.parent)]),
    ...originText(tx),
    ...(tx.envelope.mail_from === undefined ? [] : [fact('from', mailboxText(tx.envelope.mail_from))]),
    ...tx.envelope.rcpt_to.map((rcpt) => fact('to', mailboxText(rcpt))),
    ...tx.blobs.map(({ name, size, finalized }) =>
      fact('message', `${name}, ${size} bytes${finalized ? '' : ' so far'}`),
    ),
    fact(
      'if it fails',
      `${tx.retry ? 'tried again' : 'not tried again'}, ${tx.notification ? 'reported' : 'not reported'}`,
    ),
    ...section('policies that matched', tx.policies.map(policyText)),
    ...section(
      'signals',
      Object.entries(tx.signals).map(([name, value]) => `${name.split('.').at(-1)}: ${signalText(value)}`),
    ),
    ...section('attempts', tx.attempt_list.flatMap(attemptText)),
  ].map((line) => `${line}\n`);
  const children = tx.children.length === 0 ? '' : `\nwhat came out of it\n${indented(summaryTable(tx.children))}`;
  return lines.join('') + children;
}

function fact(name: string, text: string): string {
  return `${name.padEnd(14)}${plainText(text)}`;
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines.map((line) => `  ${plainText(line)}`)];
}

function indented(text: string): string {
  return text.replace(/^(?=.)/gm, '  ');
}

function stateText({ state, reason, cancelled, attempts }: HistoryJson): string {
  const tries = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  const isCancelling = cancelled && state === 'active';
  return `${state}${isCancelling ? ', being cancelled' : ''}, ${tries}${reason === undefined ? '' : `: ${reason}`}`;
}

function originText({ origin }: HistoryJson): string[] {
  const { remote_host: remote, smtp_meta: meta } = origin;
  const facts = [
    ...(remote === undefined ? [] : [hostText(remote)]),
    ...(typeof meta?.ehlo_host === 'string'
      ? [`said ${meta.esmtp === false ? 'HELO' : 'EHLO'} ${meta.ehlo_host}`]
      : []),
    ...(meta?.tls === true ? ['TLS'] : []),
    ...(meta?.auth === true ? ['authenticated'] : []),
  ];
  return facts.length === 0 ? [] : [fact('client', facts.join(', '))];
}

function policyText({ tag, name, action, rcpt, place }: HistoryJson['policies'][number]): string {
  const about = rcpt === undefined ? '' : ` for <${rcpt}>`;
  return `${action} ${tag === name ? tag : `${tag}/${name}`}${about}${place === undefined ? '' : `  ${place}`}`;
}

type Attempt = HistoryJson['attempt_list'][number];

function attemptText({ number, started_at, ended_at, dot_sent_at, hosts, ...replies }: Attempt): string[] {
  const seconds = ended_at === undefined ? undefined : (Date.parse(ended_at) - Date.parse(started_at)) / 1000;
  const lasted = seconds === undefined ? 'under way, or cut off' : `${seconds.toFixed(1)} s`;
  const { mail_response: mail, rcpt_response: rcpts = [], data_response: data } = replies;
  const answer = data === undefined ? undefined : replyText(data);
  return [
    `${number}. ${shortTime(started_at)}, ${lasted}${hosts.length === 0 ? '' : `, to ${hosts.map(hostText).join(', then ')}`}`,
    ...(mail === undefined ? [] : [`     MAIL  ${replyText(mail)}`]),
    ...rcpts.map((reply) => `     RCPT  ${replyText(reply)}`),
    ...(dot_sent_at === undefined
      ? []
      : [`     DATA  sent ${shortTime(dot_sent_at)}, ${answer === undefined ? 'no answer' : `then ${answer}`}`]),
    ...(dot_sent_at !== undefined || answer === undefined ? [] : [`     DATA  ${answer}`]),
  ];
}

function hostText([host, port]: readonly [string, number]): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function mailboxText({ m, e = [] }: HistoryJson['envelope']['rcpt_to'][number]): string {
  const params = e.map(({ k, p }) => ` ${k}${p === undefined ? '' : `=${p}`}`).join('');
  return `<${m}>${params}`;
}
