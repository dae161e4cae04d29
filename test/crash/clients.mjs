/**
 * Clients that send messages, each once and under its own id: over SMTP, and over REST whole, in pieces, and as JSON from which the router writes the
 * message. Each answers for which recipients something was promised: by 250 after the dot, by 201, or by 200 to the last piece.
 */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressOf, builtMessageOf, messageOf, recipientsOf } from './messages.mjs';

const FROM = addressOf('alice');
const PIECES = 3;
const UPLOAD_TRIES = 40;
const UPLOAD_PAUSE_MS = 200;
/** So long a client may be silent between two pieces, while there is nobody to give them to. */
export const SILENT_SECONDS = (UPLOAD_TRIES * UPLOAD_PAUSE_MS) / 1000;
/** Nobody waits longer for an answer of a router that is alive. */
const PATIENCE_MS = 60_000;

/** A message with all its recipients; a recipient that is refused at once is promised nothing. */
export function sendSmtp(port, id) {
  const rcpts = recipientsOf(id);
  const steps = [
    'EHLO client.example',
    `MAIL FROM:<${FROM}>`,
    ...rcpts.map((rcpt) => `RCPT TO:<${addressOf(rcpt)}>`),
    'DATA',
    // Made only for who takes it: while a program starts it needs the processor, and clients try again and again.
    () => `${messageOf(id).replace(/^\./gm, '..')}.`,
  ];
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(PATIENCE_MS, () => socket.destroy());
    const codes = [];
    let text = '';
    const isTaken = (i) => codes[i]?.startsWith('2') === true;
    socket.on('error', () => undefined); // killed, or not up yet: then nothing was promised
    socket.on('close', () => {
      const isPromised = isTaken(steps.length);
      // The greeting, EHLO and MAIL are answered first.
      resolve(isPromised ? rcpts.filter((_, i) => isTaken(i + 3)) : []);
    });
    socket.on('data', (bytes) => {
      text += bytes;
      for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n')) {
        const line = text.slice(0, at);
        text = text.slice(at + 2);
        if (line[3] === '-') continue;
        codes.push(line);
        const step = steps[codes.length - 1];
        const isRecipient = codes.length > 3 && codes.length <= 3 + rcpts.length;
        if (step === undefined || !(isRecipient || /^[23]/.test(line))) socket.end();
        else socket.write(`${typeof step === 'string' ? step : step()}\r\n`);
      }
    });
  });
}

/** Messages of an application have one recipient each. */
const envelopeOf = (rcpt) => ({ mail_from: { m: FROM }, rcpt_to: [{ m: addressOf(rcpt) }] });

/** What is sent with the envelope, by the way it is handed in. */
const BODIES = {
  inline: (id) => ({ inline: messageOf(id) }),
  pieces: () => undefined,
  built: (id) => ({ message_builder: builtMessageOf(id) }),
};

export const REST_WAYS = Object.keys(BODIES);

/** Whether somebody listens: for nobody no message is made. */
function isThere(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** Answers where the transaction is too. */
export async function sendRest(port, id, way) {
  const [rcpt] = recipientsOf(id);
  const nothing = { rcpts: [] };
  if (!(await isThere(port))) return nothing;
  try {
    const url = `http://127.0.0.1:${port}/senders/app/transactions`;
    const created = await ask(url, 'POST', JSON.stringify({ ...envelopeOf(rcpt), body: BODIES[way](id) }), {
      'content-type': 'application/json',
    });
    const uri = created.headers.get('location');
    if (created.status !== 201) return nothing;
    const isPromised = way !== 'pieces' || (await upload(uri, Buffer.from(messageOf(id), 'latin1')));
    return isPromised ? { rcpts: [rcpt], uri } : nothing;
  } catch {
    return nothing; // killed, or not up yet
  }
}

/** Goes on where the router says that it has got to, also a next life of it, as long as that is not too much to ask. */
async function upload(uri, bytes) {
  const pieceBytes = Math.ceil(bytes.length / PIECES);
  let at = 0;
  for (let turn = 0; turn < UPLOAD_TRIES; turn += 1) {
    const piece = bytes.subarray(at, at + pieceBytes);
    const total = at + piece.length === bytes.length ? bytes.length : '*';
    const range = { 'content-range': `bytes ${at}-${at + piece.length - 1}/${total}` };
    const answer = await ask(`${uri}/body`, 'PUT', piece, range).catch(() => undefined);
    if (answer?.status === 200) at += piece.length;
    else if (answer?.status === 416) at = storedBytes(answer.headers.get('content-range'));
    else if (answer !== undefined && answer.status < 500) return false;
    else await sleep(UPLOAD_PAUSE_MS);
    if (answer?.status === 200 && total !== '*') return true;
  }
  return false;
}

/** `bytes 0-14/*`: 15. */
const storedBytes = (range) => Number(/-(\d+)\//.exec(range ?? '')?.[1] ?? -1) + 1;

/** `cancel` or `retry`; the status, undefined when there was no answer. */
export async function command(uri, verb) {
  try {
    return (await ask(`${uri}/${verb}`, 'POST')).status;
  } catch {
    return undefined;
  }
}

/**
 * Whether a message may have been cancelled, by the status of the answer to who asked for it: without an answer nobody knows, nor when the router
 * lost its database while it asked, which may have made the commit all the same.
 */
export const mayBeCancelled = (status) => status === undefined || status < 300 || status >= 500;

async function ask(url, method, body, headers) {
  const response = await fetch(url, { method, headers, body, signal: AbortSignal.timeout(PATIENCE_MS) });
  await response.arrayBuffer();
  return response;
}
