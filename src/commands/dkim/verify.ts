/** `koukan dkim verify`: are the signatures of a message good? */
import { Args, Command, Flags } from '../../lib/cli/oclif.ts';

/** Verifies the DKIM signatures of a message. */
export default class DkimVerify extends Command {
  static override description =
    `Verify the DKIM signatures of a message in a file, as a receiver would, and say what is wrong with those that fail.

Exit status: 0 a signature is good; 65 none is, or there is none; 75 DNS gave no answer that would decide.`;
  static override examples = [
    { description: 'With the keys that are in DNS', command: '<%= config.bin %> dkim verify message.eml' },
    {
      description: 'With a record that is not published yet, as `dkim keygen` printed it',
      command: '<%= config.bin %> dkim verify --record s2026.txt message.eml',
    },
    {
      description: 'Asking one name server, with the answer as JSON',
      command: '<%= config.bin %> dkim verify --dns 192.0.2.53 --json - < message.eml',
    },
  ];
  static override args = {
    file: Args.string({ description: 'A message (RFC 5322), or - for standard input.', required: true }),
  };
  static override flags = {
    record: Flags.string({ description: 'File with TXT records that stand in for DNS.' }),
    dns: Flags.string({
      description: 'DNS server, ADDRESS or ADDRESS:PORT; may be given several times.',
      multiple: true,
      multipleNonGreedy: true,
    }),
    json: Flags.boolean({ description: 'Print everything that was found out as JSON.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DkimVerify);
    const { dkimVerify, signatureLine, verifyExitCode } = await import('../../lib/tools/dkim/verify.ts');
    const verified = await dkimVerify({
      file: args.file,
      ...(flags.record !== undefined && { recordFile: flags.record }),
      ...(flags.dns !== undefined && { servers: flags.dns }),
    });
    if (flags.json) process.stdout.write(`${JSON.stringify(verified, null, 2)}\n`);
    else if (verified.signatures.length === 0) process.stdout.write('not signed\n');
    else for (const signature of verified.signatures) process.stdout.write(`${signatureLine(signature)}\n`);
    process.exitCode = verifyExitCode(verified);
  }
}
