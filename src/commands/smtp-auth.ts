/** `koukan smtp-auth`: secrets for SMTP AUTH. */
import { Command, Flags } from '@oclif/core';

/** Makes a secret for SMTP submission. */
export default class SmtpAuth extends Command {
  static override description = `Make a random secret for SMTP AUTH, and print it with its hash.

The client logs in with the secret; the hash goes into the file that auth_secrets in gateway.yaml names, a JSON object of users and hashes. Nobody can make the secret out of the hash: keep the secret now.`;
  static override examples = [
    { description: 'Print "<secret> <hash>"', command: '<%= config.bin %> smtp-auth' },
    {
      description: 'Print what goes into the secrets file for a user, and the secret apart from it',
      command: '<%= config.bin %> smtp-auth --json | jq \'{"ann": .hash}, .secret\'',
    },
  ];
  static override flags = {
    json: Flags.boolean({ description: 'Print {"secret": …, "hash": …}.' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SmtpAuth);
    const [{ hashSecret, mintSecret }, { systemRng }] = await Promise.all([
      import('../lib/auth/secrets.ts'),
      import('../lib/ops/rng.ts'),
    ]);
    const secret = mintSecret(systemRng);
    const hash = hashSecret(secret);
    process.stdout.write(flags.json ? `${JSON.stringify({ secret, hash })}\n` : `${secret} ${hash}\n`);
  }
}
