/** `koukan ssmtp` as a user runs it, against a sink in this process. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execa } from 'execa';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { type Sink, type SinkOptions, startSink } from '../../src/lib/smtp/sink/sink.ts';
import { testCertificate } from '../smtp/client/certificate.ts';

const koukan = path.resolve(import.meta.dirname, '../../bin/koukan.js');
let folder: string;
const sinks: Sink[] = [];

beforeAll(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'koukan-ssmtp-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const sink of sinks.splice(0)) await sink.close();
});

async function sinkWith(options: SinkOptions = {}): Promise<Sink> {
  const sink = await startSink(options);
  sinks.push(sink);
  return sink;
}

async function ssmtp(sink: Sink, args: readonly string[], input = 'hello\n') {
  const all = [koukan, 'ssmtp', '--host', sink.host, '--port', String(sink.port), ...args];
  const { exitCode, stdout, stderr } = await execa('node', all, { input, reject: false });
  return { exitCode, stdout, stderr };
}

function file(name: string, text: string): string {
  const full = path.join(folder, name);
  writeFileSync(full, text);
  return full;
}

describe('koukan ssmtp', () => {
  it('makes a message of the text, sends it, and prints what the server said', async () => {
    const sink = await sinkWith();
    const { exitCode, stdout } = await ssmtp(
      sink,
      ['--mail_from', 'a@x.example', 'b@y.example', 'c@y.example'],
      'grüße\n.\n',
    );
    expect({ exitCode, lines: stdout.split('\n') }).toEqual({
      exitCode: 0,
      lines: [
        'MAIL: 250 2.0.0 OK',
        'RCPT b@y.example: 250 2.0.0 OK',
        'RCPT c@y.example: 250 2.0.0 OK',
        'DATA: 250 2.0.0 message accepted for delivery',
      ],
    });
    const message = sink.messages[0];
    expect(message).toMatchObject({ mailFrom: { address: 'a@x.example' }, hello: 'localhost' });
    expect(message?.mailFrom.params).toContainEqual({ keyword: 'SIZE', value: String(message?.body.length) });
    const text = message?.body.toString('utf8') ?? '';
    expect(text).toMatch(
      /^From: a@x\.example\r\nTo: b@y\.example, c@y\.example\r\nDate: .* \+0000\r\nMessage-ID: <.+@x\.example>\r\n/,
    );
    expect(text.slice(text.indexOf('\r\n\r\n'))).toBe('\r\n\r\ngrüße\r\n.\r\n');
  });

  it('adds and replaces header fields', async () => {
    const sink = await sinkWith();
    const headers = ['--header', 'Subject: hi', '--header', 'from: Ann <ann@x.example>'];
    await ssmtp(sink, ['-f', 'a@x.example', ...headers, 'b@y.example']);
    const text = sink.messages[0]?.body.toString() ?? '';
    expect(text).toContain('\r\nSubject: hi\r\n');
    expect(text).toContain('\r\nfrom: Ann <ann@x.example>\r\n');
    expect(text).not.toContain('From: a@x.example');
  });

  it('sends a finished message as it is, from a file or standard input', async () => {
    const sink = await sinkWith();
    const whole = 'Subject: raw\r\n\r\n..\r\n';
    for (const data of [file('m.eml', whole), `@${file('n.eml', whole)}`, '-'])
      await ssmtp(sink, ['-f', '', '--data', data, '-t', 'b@y.example,c@y.example'], whole);
    expect(sink.messages.map((m) => m.body.toString())).toEqual([whole, whole, whole]);
    expect(sink.messages.map((m) => m.rcptTo.length)).toEqual([2, 2, 2]);
  });

  it.each([
    [['rcptperm@y.example'], undefined, 69],
    [['b@y.example', 'rcpttemp@y.example', 'rcptperm@y.example'], undefined, 75],
    [['datatemp@y.example'], undefined, 75],
    [['nobody@y.example'], reply(550, '5.1.1', 'no such user'), 67],
    [['secret@y.example'], reply(550, '5.7.1', 'not for you'), 77],
  ])('says with its exit status what became of %j', async (rcpts, answer, expected) => {
    const sink = await sinkWith({ reply: (stage) => (stage === 'rcpt' ? answer : undefined) });
    const { exitCode, stdout } = await ssmtp(sink, ['-f', 'a@x.example', '--json', ...rcpts]);
    expect(exitCode).toBe(expected);
    const json = JSON.parse(stdout) as { exit_code: number; recipients: { recipient: string }[] };
    expect(json.exit_code).toBe(expected);
    expect(json.recipients.map((r) => r.recipient)).toEqual(rcpts);
  });

  it('exits with 75 and the reason when nobody listens', async () => {
    const sink = await startSink();
    const { host, port } = sink;
    await sink.close();
    const { exitCode, stdout } = await execa(
      'node',
      [koukan, 'ssmtp', '-s', host, '-p', String(port), '-f', 'a@x', 'b@y'],
      {
        input: '',
        reject: false,
      },
    );
    expect(exitCode).toBe(75);
    expect(stdout).toContain('connect: 450 4.4.1 connect error ECONNREFUSED');
  });

  it('speaks LMTP, and prints the answer to each recipient', async () => {
    const sink = await sinkWith({ lmtp: true });
    const { exitCode, stdout } = await ssmtp(sink, [
      '--lmtp',
      '-f',
      'a@x.example',
      'b@y.example',
      'datatemp@y.example',
    ]);
    expect(exitCode).toBe(75);
    expect(stdout).toContain(
      'DATA b@y.example: 250 2.0.0 message accepted for delivery\nDATA datatemp@y.example: 450 4.2.0 data temp',
    );
  });

  it('logs in under TLS, and shows the dialogue without the password', async () => {
    const sink = await sinkWith({
      tls: testCertificate,
      auth: (user, password) => user === 'ann' && password === 'sesame',
    });
    const secret = file('secret', 'sesame\n');
    const login = ['--tls', 'starttls', '--user', 'ann', '--password-file', secret];
    const { exitCode, stderr } = await ssmtp(sink, ['-v', ...login, '-f', 'a@x.example', 'b@y.example']);
    expect(exitCode).toBe(0);
    expect(sink.messages[0]?.tls).toBe(true);
    expect(stderr).toContain(' -> AUTH (hidden)\n<-  235 2.7.0 welcome');
    const wrong = await ssmtp(sink, [...login.slice(0, -1), file('wrong', 'x'), '-f', 'a@x.example', 'b@y.example']);
    expect(wrong.exitCode).toBe(77);
    expect(wrong.stdout).toContain('connect: 535 5.7.8');
  });

  it('sends many messages over several connections, and sums up', async () => {
    const sink = await sinkWith();
    const many = ['--iters', '5', '--threads', '3'];
    const { exitCode, stdout } = await ssmtp(sink, ['-f', 'a@x.example', ...many, 'b@y.example']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^15 × 250 2\.0\.0 message accepted for delivery\n15 messages in /);
    expect(sink.messages).toHaveLength(15);
    expect(sink.connections).toBe(3);
  });

  it.each([
    [['-f', 'a@x'], 64, 'no recipients'],
    [['b@y'], 64, 'mail-from'],
    [['-f', 'a@x', 'b@y', '--header', 'no colon'], 64, 'not a header'],
    [['-f', 'a@x', 'b@y', '--header', 'X: a\nBcc: c@z'], 64, 'not a header'],
    [['-f', 'a@x', 'b@y', '--user', 'ann'], 64, 'go together'],
    [['-f', 'a@x', 'b@y', '--proxy', 'nowhere'], 64, '--proxy must be like'],
    [['-f', 'a@x', 'b@y', '--data', '/does/not/exist'], 66, '/does/not/exist'],
    [['-f', 'a@x', 'b@y', '--tls', 'perhaps'], 64, 'perhaps'],
  ])('explains what is wrong with %j', async (args, expected, text) => {
    const sink = await sinkWith();
    const { exitCode, stderr } = await ssmtp(sink, args);
    expect({ exitCode, stderr }).toEqual({ exitCode: expected, stderr: expect.stringContaining(text) });
    expect(sink.connections).toBe(0);
  });

  it('does not take a password to another machine in clear', async () => {
    const args = [
      koukan,
      'ssmtp',
      '-s',
      '192.0.2.1',
      '-f',
      'a@x',
      'b@y',
      '--user',
      'ann',
      '--password-file',
      file('s', 'x'),
    ];
    const { exitCode, stderr } = await execa('node', args, { input: '', reject: false });
    expect(exitCode).toBe(64);
    expect(stderr).toContain('only under TLS');
  });
});
