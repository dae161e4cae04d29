/** `koukan smtp-auth`: secrets for SMTP AUTH, and tokens for the REST API. */
import { Command, Flags } from '../lib/cli/oclif.ts';

/** Makes a secret for SMTP submission, or a bearer token for the REST API. */
export default class SmtpAuth extends Command {
  static override description =
    `Make a random secret for SMTP AUTH, or a bearer token for the REST API, and print it with its hash.

The client logs in with the secret; the hash goes into a file: for SMTP into the one that auth_secrets of gateway.yaml names, a JSON object of users and hashes; for REST (--token) into the one that rest_listener.auth_tokens names, a JSON object of entries like the one printed. That file may change while the program runs. Nobody can make the secret out of the hash: keep the secret now.`;
  static override examples = [
    { description: 'Print "<secret> <hash>"', command: '<%= config.bin %> smtp-auth' },
    {
      description: 'Print what goes into the secrets file for a user, and the secret apart from it',
      command: '<%= config.bin %> smtp-auth --json | jq \'{"ann": .hash}, .secret\'',
    },
    {
      description: 'Print a token for an application, and the line to add to the file of tokens',
      command: '<%= config.bin %> smtp-auth --token --sender submission --name shop',
    },
    {
      description: 'A token for a gateway or a router, which is believed about the SMTP client it speaks for',
      command: '<%= config.bin %> smtp-auth --token --trusted --name gateway-1',
    },
  ];
  static override flags = {
    json: Flags.boolean({
      description: 'Print {"secret": …, "hash": …}; of a token {"token": …, "name": …, "entry": …}.',
    }),
    token: Flags.boolean({ description: 'Make a bearer token for the REST API.' }),
    sender: Flags.string({
      description: 'A sender the token may submit as and whose transactions it sees; can be given several times.',
      multiple: true,
      dependsOn: ['token'],
    }),
    trusted: Flags.boolean({ description: 'The token is for a gateway or a router.', dependsOn: ['token'] }),
    operator: Flags.boolean({
      description: 'The token may list, see, retry and cancel everything, and submit nothing.',
      dependsOn: ['token'],
    }),
    name: Flags.string({ description: 'Name of the entry, for logs.', dependsOn: ['token'] }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SmtpAuth);
    const [{ hashSecret, mintSecret }, { systemRng }, { mintToken }] = await Promise.all([
      import('../lib/auth/secrets.ts'),
      import('../lib/ops/rng.ts'),
      import('../lib/tools/mint-token.ts'),
    ]);
    if (flags.token) {
      const { name, sender: senders = [], trusted: isTrusted, operator: isOperator } = flags;
      const minted = mintToken({ senders, isTrusted, isOperator, ...(name !== undefined && { name }) }, systemRng);
      const line = `${JSON.stringify(minted.name)}: ${JSON.stringify(minted.entry)}`;
      process.stdout.write(flags.json ? `${JSON.stringify(minted)}\n` : `${minted.token}\n${line}\n`);
      return;
    }
    const secret = mintSecret(systemRng);
    const hash = hashSecret(secret);
    process.stdout.write(flags.json ? `${JSON.stringify({ secret, hash })}\n` : `${secret} ${hash}\n`);
  }
}
