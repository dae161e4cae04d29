/** `koukan fake-smtpd`: an SMTP server to try things with. */
import { Args, Command, Errors, Flags } from '../lib/cli/oclif.ts';

/** Runs a sink until a signal stops it. */
export default class FakeSmtpd extends Command {
  static override description = `Take every message that comes by SMTP, print it, and forget it.

Recipients may ask to be treated badly by the beginning of their local part: rcpttemp, rcptperm and rcpttimeout are refused or left without an answer at RCPT; datatemp, dataperm and datatimeout at the end of the message, when there is no other recipient (in LMTP each recipient has an answer of its own).

Each line of a message is printed after "> "; of a message of 10000 bytes or more only its size. Runs until a signal stops it.`;
  static override examples = [
    '<%= config.bin %> fake-smtpd 3025',
    '<%= config.bin %> fake-smtpd 3024 --lmtp',
    '<%= config.bin %> fake-smtpd 3025 --json | jq -r .mail_from.m',
  ];
  static override args = {
    port: Args.integer({ description: 'Port to listen on; 0 takes a free one.', required: true, parse: parsePort }),
  };
  static override flags = {
    host: Flags.string({ description: 'Address to listen on.', default: '127.0.0.1' }),
    lmtp: Flags.boolean({ description: 'Speak LMTP (RFC 2033).' }),
    json: Flags.boolean({ description: 'Print each message as one line of JSON.' }),
    quiet: Flags.boolean({ char: 'q', description: 'Print no messages.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(FakeSmtpd);
    const { runFakeSmtpd } = await import('../lib/tools/run-fake-smtpd.ts');
    await runFakeSmtpd({ port: args.port, ...flags });
  }
}

/** The frame reports a wrong flag as wrong usage, but a wrong argument as a bug; hence this. */
async function parsePort(text: string): Promise<number> {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new Errors.CLIError(`PORT: expected a number from 0 to 65535 but received: ${text}`);
  }
  return Number(text);
}
