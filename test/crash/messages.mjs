/**
 * The messages of a crash test. Everything about one follows from its id: who gets it, how large it is, each byte of its body, and what the far end
 * does with each of its recipients. So whoever sees one can tell whether it is what was handed in, and for whom.
 */
import { crc32 } from 'node:zlib';

export const DOMAIN = 'example.com';
const LINES = 3;
/** One message in so many is so large that the store keeps it apart from its rows (SQLite): files and memory that are used again would be seen in it. */
const LARGE_EVERY = 4;
const LARGE_MIN_BYTES = 300_000;
const LARGE_MAX_BYTES = 2_000_000;
const LINE_BYTES = 64;
const RCPTS_MAX = 4;
const [CR, LF] = [13, 10];

/** The names before the `@`, of one to four recipients. */
export function recipientsOf(id) {
  const count = Math.max(1, (crc32(`${id} recipients`) % (2 * RCPTS_MAX)) - RCPTS_MAX + 1);
  return Array.from({ length: count }, (_, i) => `${id}.${i}`);
}

export const addressOf = (rcpt) => `${rcpt}@${DOMAIN}`;

/** The id of the message that is for this recipient. */
export const idOf = (rcpt) => rcpt.slice(0, rcpt.lastIndexOf('.'));

export const isLarge = (id) => Number(id.slice(1)) % LARGE_EVERY === 1;

function linesOf(id) {
  if (!isLarge(id)) return LINES;
  const sizeBytes = LARGE_MIN_BYTES + (crc32(`${id} size`) % (LARGE_MAX_BYTES - LARGE_MIN_BYTES));
  return Math.ceil(sizeBytes / LINE_BYTES);
}

/** Lines that end in CRLF, some of which begin with a dot; no two messages have one in common, and none is twice in one. */
export function bodyOf(id) {
  const count = linesOf(id);
  const bytes = Buffer.alloc(count * LINE_BYTES, 'x');
  const ending = ` of ${count} `;
  for (let i = 0; i < count; i += 1) {
    const end = (i + 1) * LINE_BYTES;
    bytes.write(`${i % 5 === 1 ? '.' : ''}${id} line ${i}${ending}`, end - LINE_BYTES, 'latin1');
    bytes[end - 2] = CR;
    bytes[end - 1] = LF;
  }
  return bytes.toString('latin1');
}

export const messageOf = (id) => `X-Id: ${id}\r\nSubject: crash\r\n\r\n${bodyOf(id)}`;

/** The same as an application says it that leaves the writing of messages to the router. */
export function builtMessageOf(id) {
  return {
    headers: [
      ['From', [{ address: `alice@${DOMAIN}` }]],
      ['To', [{ address: addressOf(`${id}.0`) }]],
      ['Subject', 'crash'],
      ['Date', { unix_secs: 1_790_000_000, tz_offset: 0 }],
      ['Message-ID', [`${id}@${DOMAIN}`]],
      ['X-Id', id],
    ],
    text_body: [{ content_type: 'text/plain', content: { inline: bodyOf(id) } }],
  };
}

/** Of a hundred recipients so many, from the first on. */
const TREATMENTS = [
  ['put off', 10],
  ['put off at the dot', 15],
  ['refused', 18],
  ['refused at the dot', 20],
  ['late', 45],
];

/** What the far end does with a recipient: puts it off the first time, refuses it every time, answers late, or takes it. */
export function treatmentOf(rcpt) {
  const lot = crc32(rcpt) % 100;
  return TREATMENTS.find(([, below]) => lot < below)?.[0] ?? 'taken';
}

export const isRefused = (rcpt) => treatmentOf(rcpt).startsWith('refused');

/** What arrived, taken apart: the id it says it has, and whether its body is that of this id. `content` is without the dots that were added. */
export function readMessage(content) {
  const headEnd = content.indexOf('\r\n\r\n');
  const head = content.slice(0, headEnd + 2);
  const id = /^X-Id: (m\d+)\r$/im.exec(head)?.[1];
  const router = /^Received:[\s\S]*?\bby (\S+)/i.exec(head)?.[1];
  const body = decoded(content.slice(headEnd + 4), /^Content-Transfer-Encoding: (\S+)/im.exec(head)?.[1]);
  return { id, router, isWhole: id !== undefined && body === bodyOf(id) };
}

function decoded(body, encoding = '7bit') {
  if (/^base64$/i.test(encoding)) return Buffer.from(body, 'base64').toString('latin1');
  if (!/^quoted-printable$/i.test(encoding)) return body;
  return body
    .replaceAll('=\r\n', '')
    .replace(/=([0-9A-F]{2})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16)));
}
