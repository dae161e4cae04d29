/**
 * Clients that send messages, each once and under its own id, and remember which of them they were promised. One in twelve is so large that the
 * store keeps it apart from its rows (SQLite); each says how long it is, so that what arrives cut short counts as lost.
 */
import { connect } from 'node:net';

const LINE = `${'x'.repeat(60)}\r\n`;
const LARGE_LINES = 6000;

function messageOf(id) {
  const body = LINE.repeat(Number(id.slice(1)) % 12 === 5 ? LARGE_LINES : 1);
  return `X-Id: ${id}\r\nX-Body-Bytes: ${body.length}\r\nSubject: crash\r\n\r\n${body}`;
}

/** One message over SMTP; `true` when the dot was answered 250. */
export function sendSmtp(port, id) {
  const steps = [
    'EHLO client.example',
    'MAIL FROM:<alice@example.com>',
    `RCPT TO:<${id}@example.com>`,
    'DATA',
    `${messageOf(id)}.\r\n`,
  ];
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    let isPromised = false;
    socket.on('error', () => undefined); // killed, or not up yet: then nothing was promised
    socket.on('close', () => resolve(isPromised));
    socket.on('data', (bytes) => {
      text += bytes;
      for (let at = text.indexOf('\r\n'); at !== -1; at = text.indexOf('\r\n')) {
        const line = text.slice(0, at);
        text = text.slice(at + 2);
        if (line[3] === '-') continue;
        const step = steps.shift();
        isPromised = step === undefined && line.startsWith('250');
        if (step === undefined || !/^[23]/.test(line)) socket.end();
        else socket.write(step.endsWith('\r\n') ? step : `${step}\r\n`);
      }
    });
  });
}

/** One message over REST; `true` when it was created. */
export async function sendRest(port, id) {
  const body = JSON.stringify({
    mail_from: { m: 'alice@example.com' },
    rcpt_to: [{ m: `${id}@example.com` }],
    body: { inline: messageOf(id) },
  });
  const headers = { 'content-type': 'application/json' };
  const url = `http://127.0.0.1:${port}/senders/app/transactions`;
  try {
    return (await fetch(url, { method: 'POST', headers, body })).status === 201;
  } catch {
    return false; // killed, or not up yet
  }
}
