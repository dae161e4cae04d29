/**
 * An SMTP reply as a value (RFC 5321 §4.2, RFC 3463): what every phase answers, on the wire, in the store and between filters.
 * It is returned, stored and combined; it is never thrown.
 */

/** `text` may hold several lines joined by `\n`; the enhanced code is kept apart from it and belongs to every line (RFC 2034 §4). */
export interface Response {
  readonly code: number;
  readonly enhanced?: string;
  readonly text: string;
  /** Who gave it, when it was somebody else than this process. Not part of what a peer is told. */
  readonly source?: ReplySource;
  /** Our own word for a reply that never came: all of the message went out, so it may have been delivered. */
  readonly inDoubt?: true;
}

/**
 * What became of the duty to report a success (RFC 3461 §5.2) with a 2xx to the message: the far end has it (`passed`); the far end does
 * not know of such duties (`relayed`); nobody comes after the far end (`delivered`); a report has been made (`reported`).
 */
export type Handover = 'passed' | 'relayed' | 'delivered' | 'reported';

export interface ReplySource {
  /** Name of the mail server, or its address in brackets. */
  readonly mta?: string;
  /** Absent: the next hop did not say. */
  readonly handover?: Handover;
}

/** The class of a reply; anything that is not 2xx, 4xx or 5xx is `other` and counts as an error. */
export type ResponseClass = 'ok' | 'temporary' | 'permanent' | 'other';

/** RFC 3463 §2: class "." subject "." detail, at the start of a reply line. */
const ENHANCED = /^([245]\.\d{1,3}\.\d{1,3})(?: |$)/;

const LINE_END = /[\r\n]/;

/** Builds a reply from its three parts. */
export function reply(code: number, enhanced: string, text: string): Response {
  return { code, enhanced, text };
}

/** Builds a reply from text whose lines may begin with an enhanced code; the code of the first line that has one is taken. */
export function responseFromText(code: number, message: string): Response {
  if (!LINE_END.test(message)) return lineResponse(code, message);
  // A bare CR ends a line too: it must not travel into somebody's SMTP session.
  const lines = message.split(/\r\n?|\n/);
  let enhanced: string | undefined;
  const texts = lines.map((line) => {
    const match = ENHANCED.exec(line);
    if (match === null) return line;
    enhanced ??= match[1];
    return match[1] === enhanced ? line.slice(match[0].length) : line;
  });
  const text = texts.join('\n');
  return enhanced === undefined ? { code, text } : { code, enhanced, text };
}

/** The same from text that is known to be one line. */
export function lineResponse(code: number, text: string): Response {
  // Nearly always one or the other is plain to see.
  const match = text[1] === '.' ? ENHANCED.exec(text) : null;
  if (match === null) return { code, text };
  return { code, enhanced: match[1] as string, text: text.slice(match[0].length) };
}

/** The lines of a reply without the reply code, each with its enhanced code: what SMTP and the wire's `message` carry. */
export function responseLines(response: Response): string[] {
  const lines = response.text.split('\n');
  const { enhanced } = response;
  return enhanced === undefined ? lines : lines.map((line) => (line === '' ? enhanced : `${enhanced} ${line}`));
}

export function responseClass(response: Response): ResponseClass {
  if (isOk(response)) return 'ok';
  if (isTemporary(response)) return 'temporary';
  if (isPermanent(response)) return 'permanent';
  return 'other';
}

export const isOk = ({ code }: Response): boolean => code >= 200 && code <= 299;
export const isTemporary = ({ code }: Response): boolean => code >= 400 && code <= 499;
export const isPermanent = ({ code }: Response): boolean => code >= 500 && code <= 599;

/** Two replies are the same when a peer could not tell them apart. */
export function sameResponse(a: Response, b: Response): boolean {
  return a.code === b.code && a.enhanced === b.enhanced && a.text === b.text;
}

/** One line for logs and people: `550 5.1.1 no such user`. */
export function formatResponse(response: Response): string {
  return `${response.code} ${responseLines(response).join(' / ')}`;
}
