/** `koukan tx list` at an address where there is no list: the address is what is wrong. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { withRouter } from '../../../src/lib/tools/tx/router-client.ts';

it.each([404, 405])('is wrong usage when %s is the answer, and names what was asked', async (status) => {
  const server = createServer((_request, response) => response.writeHead(status).end('no such resource'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/elsewhere`;
  const listing = withRouter({ url }, (router) => router.get('transactions'));
  await expect(listing).rejects.toMatchObject({ exitCode: 64, message: `${url}/ refused: ${status} no such resource` });
  const showing = withRouter({ url }, (router) => router.get('transactions/x/history'));
  await expect(showing).rejects.toMatchObject({ exitCode: 66 });
  server.close();
});
