/** Runs a REST receiver that stores what a router sends in files. */
import { Command, Flags } from '../lib/cli/oclif.ts';

export default class Receive extends Command {
  static override description = `Receive messages from a router over REST, and store each in a directory.

A message is stored as ID.msg, its envelope as ID.tx.json (written last), and when the router parses messages, the parsed message as ID.msg.json and its parts as ID.PART. Runs until a signal stops it.`;
  static override examples = [
    '<%= config.bin %> receive --dir /tmp/mail',
    '<%= config.bin %> receive --port 8002 --dir /tmp/mail --json | jq .file',
  ];
  static override flags = {
    port: Flags.integer({ description: 'Port to listen on; 0 takes a free one.', default: 8002, min: 0, max: 65_535 }),
    dir: Flags.string({ description: 'Where messages are stored; made when it is missing.', required: true }),
    host: Flags.string({ description: 'Address to listen on.', default: '127.0.0.1' }),
    json: Flags.boolean({ description: 'Print each message as one line of JSON.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Receive);
    const { runReceiver } = await import('../lib/tools/run-receiver.ts');
    await runReceiver(flags);
  }
}
