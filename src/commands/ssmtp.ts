/** `koukan ssmtp`: one message by SMTP, or many, and what the server said. */
import { Args, Command, Flags } from '../lib/cli/oclif.ts';

/** Sends a message by SMTP and prints what the server said. */
export default class Ssmtp extends Command {
  static override description =
    `Send a message by SMTP or LMTP, and print the reply to each recipient and to the message.

The text of the message comes from standard input; From, To, Date and Message-ID are put in front of it. With --data the whole message is read from a file as it is.

Exit status (sysexits.h): 0 taken for all recipients; 75 refused for now, or no answer; 67 no such user; 77 not allowed; 69 refused for another reason.`;
  static override examples = [
    {
      description: 'To the local gateway',
      command: "<%= config.bin %> ssmtp -f alice@example.com bob@example.com <<< 'hello, world!'",
    },
    {
      description: 'A finished message, logged in under TLS, with the dialogue on standard error',
      command:
        '<%= config.bin %> ssmtp --host mail.example.com --port 587 --tls starttls --user ann --password-file ann.secret -v --mail-from ann@example.com --data message.eml bob@example.com',
    },
    {
      description: '20 connections with 500 messages each',
      command:
        '<%= config.bin %> ssmtp --mail-from a@example.com --iters 500 --concurrency 20 --data message.eml b@example.com',
    },
  ];
  static override args = {
    recipients: Args.string({ description: 'Recipients, one or more.', multiple: true }),
  };
  static override flags = {
    host: Flags.string({ char: 's', description: 'Where to connect to.', default: 'localhost', aliases: ['server'] }),
    port: Flags.integer({ char: 'p', description: 'Port.', default: 1025, min: 1, max: 65_535 }),
    ehlo: Flags.string({ description: 'Name to introduce oneself by.', default: 'localhost', aliases: ['helo'] }),
    'mail-from': Flags.string({
      char: 'f',
      description: "The reverse-path; '' for none.",
      required: true,
      aliases: ['from'],
    }),
    to: Flags.string({
      char: 't',
      description: 'A recipient, or several with commas.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    header: Flags.string({
      description: "A header field, 'Name: value'; may be given several times.",
      multiple: true,
      multipleNonGreedy: true,
      aliases: ['add-header'],
      exclusive: ['data'],
    }),
    data: Flags.string({ char: 'd', description: 'A complete message: a file, or - for standard input.' }),
    lmtp: Flags.boolean({ description: 'Speak LMTP (RFC 2033).' }),
    tls: Flags.string({
      description: 'auto: STARTTLS when offered, else in clear; starttls: or nothing; implicit: from the first byte.',
      options: ['auto', 'off', 'starttls', 'implicit'],
      default: 'auto',
    }),
    'tls-verify': Flags.boolean({
      description: 'Refuse a certificate that is not valid for the host; with auto, TLS is then required.',
    }),
    user: Flags.string({ description: 'Log in (AUTH PLAIN) as this user.', aliases: ['auth-user'] }),
    'password-file': Flags.string({ description: 'File with the password.' }),
    proxy: Flags.string({ description: 'Begin with a PROXY header that names this client, like 203.0.113.4:1234.' }),
    timeout: Flags.integer({ description: 'Seconds to wait for each reply.', default: 60, min: 1, max: 3600 }),
    iters: Flags.integer({ description: 'Messages on each connection.', default: 1, min: 1, max: 10_000_000 }),
    concurrency: Flags.integer({
      description: 'Connections at the same time.',
      default: 1,
      min: 1,
      max: 10_000,
      aliases: ['threads'],
    }),
    json: Flags.boolean({ description: 'Print the replies to each message as one line of JSON.' }),
    verbose: Flags.boolean({ char: 'v', description: 'Show the dialogue on standard error.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Ssmtp);
    const { runSsmtp } = await import('../lib/tools/ssmtp/run-ssmtp.ts');
    const {
      'mail-from': mailFrom,
      to,
      header,
      'tls-verify': tlsVerify,
      'password-file': passwordFile,
      ...rest
    } = flags;
    const { data, user, proxy, timeout, tls, ...plain } = rest;
    const named = (to ?? []).flatMap((list) => list.split(',')).map((address) => address.trim());
    const exitCode = await runSsmtp({
      ...plain,
      mailFrom: mailFrom === '<>' ? '' : mailFrom,
      rcptTo: [...(args.recipients ?? []), ...named],
      headers: header ?? [],
      tls: tls as 'auto' | 'off' | 'starttls' | 'implicit',
      tlsVerify,
      timeoutSeconds: timeout,
      ...(data !== undefined && { data }),
      ...(user !== undefined && { user }),
      ...(passwordFile !== undefined && { passwordFile }),
      ...(proxy !== undefined && { proxy }),
    });
    if (exitCode !== 0) this.exit(exitCode);
  }
}
