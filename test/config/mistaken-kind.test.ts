/** The two configurations of an exchange, given in each other's place. */
import path from 'node:path';
import { expect, it } from 'vitest';
import { refuseMistakenKinds } from '../../src/lib/config/mistaken-kind.ts';

const folder = path.resolve(import.meta.dirname, '../../config/local-test');
const router = path.join(folder, 'router.yaml');
const gateway = path.join(folder, 'gateway.yaml');

it('takes them in their places, and leaves to others what cannot be read', () => {
  refuseMistakenKinds({ router, gateway });
  refuseMistakenKinds({ router: path.join(folder, 'none.yaml'), gateway });
  refuseMistakenKinds({ gateway });
});

it.each([
  [{ router: gateway, gateway: router }, `koukan serve ${router} ${gateway}`],
  [{ router: gateway }, `${gateway} is the configuration of a gateway, and a router's is needed here`],
  [{ gateway: router }, `${router} is the configuration of a router, and a gateway's is needed here`],
  [{ router, gateway: router }, `${router} is the configuration of a router`],
])('says which is in the wrong place: %j', (files, words) => {
  expect(() => refuseMistakenKinds(files)).toThrow(
    expect.objectContaining({ name: 'UserError', exitCode: 64, message: expect.stringContaining(words) }),
  );
});
