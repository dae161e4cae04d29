/** Sends a message through a router's REST API and says what became of it. */
import { Args, Command, Flags } from '../lib/cli/oclif.ts';

export default class Send extends Command {
  static override description = `Send a message through a router's REST API, and wait for what becomes of it.

The message is message-builder JSON, whose parts may name local files as {"file": "report.pdf"}, or a finished message (RFC 5322). A date and a message id are added when they are missing. Each recipient gets a transaction of his own.

Exit status (sysexits.h): 0 delivered to all; 67 no such user; 68 no such host; 69 refused for another reason; 75 not delivered yet, or no answer in time.`;
  static override examples = [
    '<%= config.bin %> send --mail-from alice@example.com --message-builder examples/send-message/message-builder.json bob@example.com',
    '<%= config.bin %> send --mail-from alice@example.com --rfc822 - bob@example.com carol@example.com < message.eml',
  ];
  static override args = {
    recipients: Args.string({ description: 'Recipients, one or more.', required: true, multiple: true }),
  };
  static override flags = {
    url: Flags.string({
      description: "The router's base URL.",
      default: 'http://127.0.0.1:8000',
      env: 'KOUKAN_URL',
    }),
    sender: Flags.string({ description: 'Which sender of the router to submit to.', default: 'submission' }),
    tag: Flags.string({ description: 'Which tag of that sender.' }),
    'mail-from': Flags.string({ description: "The reverse-path; '' for none.", required: true }),
    'message-builder': Flags.string({
      description: 'The message as message-builder JSON: a file, or - for standard input.',
      aliases: ['message-builder-filename'],
      exactlyOne: ['message-builder', 'rfc822'],
    }),
    rfc822: Flags.string({
      description: 'The message as it is sent: a file, or - for standard input.',
      aliases: ['rfc822-filename'],
      exactlyOne: ['message-builder', 'rfc822'],
    }),
    token: Flags.string({
      description:
        'Bearer token, for a router that asks for one. Others on this machine can see it here: use the variable or a file.',
      env: 'KOUKAN_TOKEN',
    }),
    'token-file': Flags.string({ description: 'File with the bearer token.' }),
    wait: Flags.integer({
      description: 'Seconds to wait for the outcome; 0: not at all.',
      default: 30,
      min: 0,
      max: 86_400,
    }),
    json: Flags.boolean({ description: 'Print the outcome as JSON.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Send);
    const { runSend } = await import('../lib/tools/send/run-send.ts');
    const { 'mail-from': mailFrom, 'message-builder': messageBuilder, 'token-file': tokenFile } = flags;
    const { rfc822, tag, url, sender, wait, json, token } = flags;
    const exitCode = await runSend({
      url,
      sender,
      mailFrom,
      waitSeconds: wait,
      json,
      recipients: args.recipients,
      ...(tag !== undefined && { tag }),
      ...(token !== undefined && { token }),
      ...(tokenFile !== undefined && { tokenFile }),
      ...(messageBuilder !== undefined && { messageBuilder }),
      ...(rfc822 !== undefined && { rfc822 }),
    });
    if (exitCode !== 0) this.exit(exitCode);
  }
}
