/** The configuration for real mail, with keys and tokens made as its comments say. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { hashSecret } from '../../src/lib/auth/secrets.ts';
import { checkConfigs } from '../../src/lib/chain/check-config.ts';
import { builtInSteps } from '../../src/lib/chain/registry.ts';
import { dkimKeygen } from '../../src/lib/tools/dkim/keygen.ts';

const root = path.resolve(import.meta.dirname, '../..');
let folder: string;
const at = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'koukan-test-'));
  await mkdir(at('keys'));
  for (const name of ['router.yaml', 'gateway.yaml']) {
    await copyFile(path.join(root, 'config/production', name), at(name));
  }
  const key = { domain: 'example.com', bits: 2048, force: false };
  await dkimKeygen({ ...key, selector: 's1', type: 'rsa', out: at('keys/s1.pem') });
  await dkimKeygen({ ...key, selector: 'e1', type: 'ed25519', out: at('keys/e1.pem') });
  await copyFile(path.join(root, 'config/local-test/test-only-localhost.crt'), at('keys/mail.crt'));
  await copyFile(path.join(root, 'config/local-test/test-only-localhost.key'), at('keys/mail.key'));
  const gateway = { hash: hashSecret('gateway'), trusted: true };
  const shop = { hash: hashSecret('shop'), senders: ['shop'] };
  await writeFile(at('keys/tokens.json'), JSON.stringify({ gateway, shop }));
  const router = { hash: hashSecret('router'), trusted: true };
  await writeFile(at('keys/gateway-tokens.json'), JSON.stringify({ router }));
  await writeFile(at('keys/router.token'), 'gateway\n');
  await writeFile(at('keys/gateway.token'), 'router\n');
  await writeFile(at('keys/users.json'), JSON.stringify({ ann: hashSecret('secret') }));
});
afterAll(() => rm(folder, { recursive: true }));

it('has no mistake, alone or together, and nothing to warn of', async () => {
  const reports = await checkConfigs([at('router.yaml'), at('gateway.yaml')], builtInSteps);
  expect(reports.flatMap(({ mistakes, warnings }) => [...mistakes, ...warnings])).toEqual([]);
});

it('with a token for a sender that is not there says which was meant', async () => {
  const tokens = { shop: { hash: hashSecret('shop'), senders: ['shpo'] } };
  await writeFile(at('keys/tokens.json'), JSON.stringify(tokens));
  const [router] = await checkConfigs([at('router.yaml')], builtInSteps);
  expect(router?.mistakes.map(({ message }) => message)).toEqual([
    `'auth_tokens': ${at('keys/tokens.json')}: "shop": there is no sender 'shpo' (did you mean 'shop'?)`,
  ]);
});
