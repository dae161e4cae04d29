/** `koukan fake-smtpd` as a user runs it. */
import net from 'node:net';
import path from 'node:path';
import { execa } from 'execa';
import { afterEach, describe, expect, it } from 'vitest';

const koukan = path.resolve(import.meta.dirname, '../../bin/koukan.js');

/** A command that runs, what it has printed so far, and a way to wait for more of it. */
class Running {
  readonly child;
  stdout = '';
  stderr = '';
  #wake: () => void = () => undefined;

  constructor(args: readonly string[]) {
    this.child = execa('node', [koukan, 'fake-smtpd', ...args], { reject: false });
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#wake();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
      this.#wake();
    });
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async port(): Promise<number> {
    await this.until(() => this.stderr.includes('\n'));
    return Number(/port (\d+)/.exec(this.stderr)?.[1]);
  }
}

const running: Running[] = [];
afterEach(async () => {
  for (const { child } of running.splice(0)) {
    child.kill('SIGKILL');
    await child;
  }
});

function start(...args: string[]): Running {
  const command = new Running(args);
  running.push(command);
  return command;
}

/** Says everything at once, and answers with all that comes back until the server closes. */
function talk(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = net.connect(port, '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk) => {
      heard += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(heard));
  });
}

function message(body: string, hello = 'EHLO me', rcpts = ['b@y.example']): string {
  const to = rcpts.map((rcpt) => `RCPT TO:<${rcpt}>\r\n`).join('');
  return `${hello}\r\nMAIL FROM:<a@x.example> SIZE=5\r\n${to}DATA\r\n${body}.\r\nQUIT\r\n`;
}

describe('koukan fake-smtpd', () => {
  it('prints each line of a message after "> ", and ends well with SIGTERM', async () => {
    const command = start('0');
    const heard = await talk(await command.port(), message('Subject: x\r\n\r\n..dot\r\n\x1b[2J\r\n'));
    expect(heard).toMatch(/^220 .*\r\n250-/);
    expect(heard).toMatch(/354 .*\r\n250 2\.0\.0 message accepted for delivery\r\n221 /);
    await command.until(() => command.stdout.includes('2J'));
    expect(command.stdout).toBe(
      'MAIL FROM:<a@x.example> SIZE=5\nRCPT TO:<b@y.example>\n> Subject: x\n> \n> .dot\n> ?[2J\n',
    );
    command.child.kill('SIGTERM');
    expect((await command.child).exitCode).toBe(0);
  });

  it('prints the size of a large message only', async () => {
    const command = start('0');
    await talk(await command.port(), message(`${'x'.repeat(9998)}\r\n`));
    await command.until(() => command.stdout.includes('10000'));
    expect(command.stdout).not.toContain('>  ');
    expect(command.stdout).toContain('RCPT TO:<b@y.example>\n10000\n');
  });

  it('prints one line of JSON for each message, and nothing with --quiet', async () => {
    const [json, quiet] = [start('0', '--json'), start('0', '--quiet')];
    await talk(await json.port(), message('hi\r\n'));
    await json.until(() => json.stdout.endsWith('\n'));
    expect(JSON.parse(json.stdout)).toEqual({
      mail_from: { m: 'a@x.example', e: [{ k: 'SIZE', p: '5' }] },
      rcpt_to: [{ m: 'b@y.example' }],
      ehlo: 'me',
      tls: false,
      bdat: false,
      connection: 1,
      sequence: 1,
      size: 4,
      body: 'hi\r\n',
    });
    expect(await talk(await quiet.port(), message('hi\r\n'))).toContain('accepted');
    expect(quiet.stdout).toBe('');
  });

  it('speaks LMTP with an answer for each recipient', async () => {
    const command = start('0', '--lmtp');
    const heard = await talk(await command.port(), message('hi\r\n', 'LHLO me', ['b@y.example', 'dataperm@y.example']));
    expect(heard).toContain('250 2.0.0 message accepted for delivery\r\n550 5.2.0 data perm\r\n221');
  });

  it('says so when the port is taken', async () => {
    const port = await start('0').port();
    const { exitCode, stderr } = await start(String(port)).child;
    expect(exitCode).toBe(69);
    expect(stderr).toContain(`cannot listen on 127.0.0.1:${port}: the port is in use by another process`);
  });
});
