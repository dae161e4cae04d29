/** `koukan dkim keygen`: a key that signs mail. */
import { Args, Command, Flags } from '../../lib/cli/oclif.ts';

/** Makes a signing key. */
export default class DkimKeygen extends Command {
  static override description = `Make a key for signing mail with DKIM, and print the DNS record that makes it known.

The private key goes into a file that only its owner can read; name that file in the dkim_sign filter of router.yaml. Publish the record before mail is signed with the key.

Sign with an rsa key of 2048 bits: every receiver can verify it. An ed25519 key beside it is smaller and faster, for those who can.`;
  static override examples = [
    {
      description: 'A key in keys/s2026.pem for mail from example.com',
      command: '<%= config.bin %> dkim keygen example.com --selector s2026 --out keys/s2026.pem',
    },
    {
      description: 'A second key, of the other kind',
      command: '<%= config.bin %> dkim keygen example.com --selector e2026 --type ed25519 --out keys/e2026.pem',
    },
  ];
  static override args = {
    domain: Args.string({ description: 'The domain that signs.', required: true }),
  };
  static override flags = {
    selector: Flags.string({ char: 's', description: 'Name of the key below _domainkey.', required: true }),
    type: Flags.string({ description: 'Kind of key.', options: ['rsa', 'ed25519'], default: 'rsa' }),
    bits: Flags.integer({ description: 'Size of an rsa key.', default: 2048, min: 1024, max: 8192 }),
    out: Flags.string({
      char: 'o',
      description: 'File for the private key; SELECTOR.DOMAIN.pem by default.',
    }),
    force: Flags.boolean({ description: 'Replace the file if it exists.' }),
    json: Flags.boolean({ description: 'Print {"file", "name", "text"}.' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(DkimKeygen);
    const [{ dkimKeygen }, { zoneLine }] = await Promise.all([
      import('../../lib/tools/dkim/keygen.ts'),
      import('../../lib/auth/signing/dkim-record.ts'),
    ]);
    const out = flags.out ?? `${flags.selector}.${args.domain}.pem`;
    const record = await dkimKeygen({
      domain: args.domain,
      selector: flags.selector,
      type: flags.type === 'rsa' ? 'rsa' : 'ed25519',
      bits: flags.bits,
      out,
      force: flags.force,
    });
    if (flags.json) process.stdout.write(`${JSON.stringify({ file: out, ...record })}\n`);
    else process.stdout.write(`${zoneLine(record)}\n`);
    if (!flags.json) process.stderr.write(`The private key is in ${out}.\n`);
  }
}
