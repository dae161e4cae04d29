/** `koukan tx list` at an address where there is no list, and with what no list can be asked: that is what is wrong. */
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

it('is wrong usage when the router does not take a filter, and names the flag', async () => {
  const problem = JSON.stringify({ status: 400, detail: 'after is not a cursor', pointer: '/after' });
  const headers = { 'content-type': 'application/problem+json' };
  const server = createServer((_request, response) => response.writeHead(400, headers).end(problem));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const listing = withRouter({ url }, (router) => router.get('transactions', { after: 'x' }));
  await expect(listing).rejects.toMatchObject({ exitCode: 64, message: '--after: after is not a cursor' });
  server.close();
});
