/** The four ways mail flows through the local environment: the command line a user types, and where the message must arrive. */

export interface Flow {
  readonly title: string;
  /** Arguments of `koukan`. */
  readonly command: readonly string[];
  /** What the command reads. */
  readonly stdin?: string;
  /** `parsed`: at the receiver, with its JSON. */
  readonly arrivesAt: 'sink' | 'receiver' | 'parsed';
  readonly rcpt: string;
}

/** `examplesDir` is where the message-builder example lies. `name` makes the recipient's plus-tag unique, so that arrivals can be told apart. */
export function flows(examplesDir: string, name?: string): readonly Flow[] {
  const plus = name === undefined ? '' : `+${name}`;
  const ssmtp = (port: number, rcpt: string): readonly string[] => [
    'ssmtp',
    '--host=localhost',
    `--port=${port}`,
    '--ehlo=localhost',
    '--mail-from=alice@example.com',
    rcpt,
  ];
  const [bob, app] = [`bob${plus}@example.com`, `bob${plus}@rest-application.example.com`];
  const builder = `${examplesDir}/send-message/message-builder.json`;
  return [
    { title: 'SMTP → SMTP', command: ssmtp(1025, bob), stdin: 'hello, world!', arrivesAt: 'sink', rcpt: bob },
    {
      title: 'SMTP → application',
      command: ssmtp(1025, app),
      stdin: 'hello, world!',
      arrivesAt: 'parsed',
      rcpt: app,
    },
    { title: 'submission → SMTP', command: ssmtp(1587, bob), stdin: 'hello, world!', arrivesAt: 'sink', rcpt: bob },
    {
      title: 'REST → SMTP',
      command: ['send', '--mail-from', 'alice@example.com', '--message-builder', builder, bob],
      arrivesAt: 'sink',
      rcpt: bob,
    },
  ];
}

/** The line to type. */
export function commandLine(flow: Flow): string {
  const stdin = flow.stdin === undefined ? '' : ` <<< '${flow.stdin}'`;
  return `npx koukan ${flow.command.join(' ')}${stdin}`;
}
