/** Who may use REST, with whole programs: tokens and client certificates between them, a token for an application, and no open relay. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { hashSecret } from '../../src/lib/auth/secrets.ts';
import { Journey } from '../helpers/journey.ts';
import { sendSmtp } from '../helpers/journey-mail.ts';
import { koukanBin, projectRoot } from '../helpers/process.ts';

const certificates = path.join(projectRoot, 'test/fixtures/mutual-tls');
const certificate = (name: string): string => path.join(certificates, name);

async function rewrite(file: string, change: (text: string) => string): Promise<void> {
  await writeFile(file, change(await readFile(file, 'utf8')));
}

/** Adds keys to the REST listener of a file. */
function guard(file: string, keys: readonly string[]): Promise<void> {
  return rewrite(file, (text) =>
    text.replace('rest_listener:\n', `rest_listener:\n${keys.map((key) => `  ${key}\n`).join('')}`),
  );
}

/** A router and a gateway that ask each other who they are: the gateway by its certificate, the router by a token. */
async function guarded(journey: Journey, gatewayCertificate = 'gateway'): Promise<void> {
  const { folder, routerFile, gatewayFile, ports } = journey;
  const tokens = {
    router: {
      shop: { hash: hashSecret('shop-token'), senders: ['app'] },
      ops: { hash: hashSecret('ops-token'), operator: true },
    },
    gateway: { router: { hash: hashSecret('router-token'), trusted: true } },
  };
  for (const [name, entries] of Object.entries(tokens)) {
    await writeFile(path.join(folder, `${name}-tokens.json`), JSON.stringify(entries));
  }
  await writeFile(path.join(folder, 'router-token'), 'router-token\n');
  await guard(routerFile, [
    'auth_tokens: router-tokens.json',
    `cert: ${certificate('server.crt')}`,
    `key: ${certificate('server.key')}`,
    `client_ca: ${certificate('authority.crt')}`,
    'trusted_names: [gateway.example]',
  ]);
  await guard(gatewayFile, ['auth_tokens: gateway-tokens.json']);
  await rewrite(routerFile, (text) =>
    text
      .replace('{name: gateway,', '{name: gateway, token_file: router-token,')
      .replace(`session_uri: http://127.0.0.1:${ports.router}`, `session_uri: https://localhost:${ports.router}`),
  );
  const own = `verify: ${certificate('authority.crt')}, client_cert: ${certificate(`${gatewayCertificate}.crt`)}, client_key: ${certificate(`${gatewayCertificate}.key`)}`;
  await rewrite(gatewayFile, (text) =>
    text
      .replaceAll(`'http://127.0.0.1:${ports.router}/`, `'https://localhost:${ports.router}/`)
      .replaceAll("transactions'}", `transactions', ${own}}`),
  );
}

function send(journey: Journey, flags: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const url = `https://localhost:${journey.ports.router}`;
  const common = ['--url', url, '--mail-from', 'ann@example.com', '--rfc822', '-', 'bob@example.com'];
  return execa('node', [koukanBin, 'send', ...common, ...flags], {
    input: 'subject: hello\r\n\r\nhello\r\n',
    env: { NODE_EXTRA_CA_CERTS: certificate('authority.crt'), ...env },
    reject: false,
  });
}

describe('programs that ask who is calling', () => {
  it('carry a message from SMTP to SMTP when each can say who it is', async (context) => {
    const journey = await Journey.open(context);
    await guarded(journey);
    await journey.start('split');
    const replies = await sendSmtp(context, { port: journey.ports.mx, rcpts: ['bob@example.com'] });
    expect(replies.data).toMatch(/^250 /);
    expect(journey.sink.messages).toHaveLength(1);
  });

  it('answer 4xx to SMTP when the gateway has a certificate nobody trusts, and lose nothing', async (context) => {
    const journey = await Journey.open(context);
    await guarded(journey, 'application');
    const { gateway } = await journey.start('split');
    const replies = await sendSmtp(context, { port: journey.ports.mx, rcpts: ['bob@example.com'] });
    expect(replies.mail ?? '').toMatch(/^4/);
    expect(gateway.output).toContain('a bearer token is needed');
  });

  it('let an application submit as its sender with its token, and as no other', async (context) => {
    const journey = await Journey.open(context);
    await guarded(journey);
    await journey.start('split');
    const delivered = await send(journey, ['--sender', 'app'], { KOUKAN_TOKEN: 'shop-token' });
    expect(delivered.stderr).toBe('');
    expect(delivered.exitCode).toBe(0);
    const [foreign, nobody, wrong] = await Promise.all([
      send(journey, ['--sender', 'submission', '--token', 'shop-token']),
      send(journey, ['--sender', 'app']),
      send(journey, ['--sender', 'app', '--token', 'guess']),
    ]);
    expect([foreign, nobody, wrong].map(({ exitCode }) => exitCode)).toEqual([77, 77, 77]);
    expect(foreign?.stderr).toContain('403 this token is not for the sender submission');
    expect(nobody?.stderr).toContain('401 a bearer token is needed');
    expect(journey.sink.messages).toHaveLength(1);
  });

  it('take a token that was minted while they run', async (context) => {
    const journey = await Journey.open(context);
    await guarded(journey);
    await journey.start('split');
    const minted = await execa('node', [koukanBin, 'smtp-auth', '--token', '--sender', 'app', '--name', 'new']);
    const [token = '', line = ''] = minted.stdout.split('\n');
    await writeFile(path.join(journey.folder, 'router-tokens.json'), `{${line}}`);
    await writeFile(path.join(journey.folder, 'token'), `${token}\n`);
    const file = path.join(journey.folder, 'token');
    await expect
      .poll(async () => (await send(journey, ['--sender', 'app', '--token-file', file])).exitCode, { timeout: 60_000 })
      .toBe(0);
    expect((await send(journey, ['--sender', 'app', '--token', 'shop-token'])).exitCode).toBe(77);
  });
});

describe('start-up refuses', () => {
  it('a REST address that strangers can reach, until something guards it', async (context) => {
    const journey = await Journey.open(context);
    for (const file of [journey.routerFile, journey.gatewayFile]) {
      await rewrite(file, (text) => text.replace('addr: [127.0.0.1,', 'addr: [0.0.0.0,'));
    }
    const router = journey.run('router', journey.routerFile);
    expect(await router.exited).toEqual({ code: 78, signal: null });
    expect(router.stderr).toMatch(/router\.yaml:4:3: on 0\.0\.0\.0 this listener can be reached from other machines/);
    const gateway = journey.run('gateway', journey.gatewayFile);
    expect(await gateway.exited).toEqual({ code: 78, signal: null });
    expect(gateway.stderr).toMatch(/gateway\.yaml:2:3: .*'insecure: true'/);
    for (const file of [journey.routerFile, journey.gatewayFile]) await guard(file, ['insecure: true']);
    await journey.start('split');
  });

  it('an open relay, with the step that makes it one', async (context) => {
    const journey = await Journey.open(context);
    await rewrite(journey.routerFile, (text) => text.replaceAll('  open_relay: true\n', ''));
    const router = journey.run('router', journey.routerFile);
    expect(await router.exited).toEqual({ code: 78, signal: null });
    expect(router.stderr).toMatch(
      /router\.yaml:\d+:6: an open relay: over the SMTP sender 'ingress' with tag 'smtp', 'submission'/,
    );
    // Its ports can only be reached from this machine.
    const serve = await journey.serve();
    await serve.terminate();
    await rewrite(journey.gatewayFile, (text) =>
      text.replace(`[127.0.0.1, ${journey.ports.msa}]`, `[0.0.0.0, ${journey.ports.msa}]`),
    );
    const open = journey.run('serve', journey.routerFile, journey.gatewayFile);
    expect(await open.exited).toEqual({ code: 78, signal: null });
    expect(open.stderr).toContain("an open relay: over the SMTP sender 'submission' with tag 'smtp' anybody");
  });
});
