/** A request is answered alike whichever way it comes: by itself, through the framework, or as a frame, without it. */
import { describe, expect, it } from 'vitest';
import { encodeFrame, kinds } from '../../src/lib/http/frame.ts';
import { ENVELOPE, joined } from './frame-wire.ts';
import { rawRequest } from './raw-request.ts';
import { startRestServer } from './rest-server.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const MESSAGE = { 'content-type': 'message/rfc822' };
const CREATE = '/senders/router/transactions';

describe('a mistake in a request that comes as a frame', () => {
  it.each([
    ['what is no JSON', 'POST', CREATE, JSON_TYPE, '{'],
    ['a field that there is not', 'POST', CREATE, JSON_TYPE, '{"mail_form": 1}'],
    ['JSON of more than a server takes', 'POST', CREATE, JSON_TYPE, JSON.stringify({ mail_from: 'x'.repeat(2000) })],
    ['a sender that there is not', 'POST', '/senders/unknown/transactions', JSON_TYPE, ENVELOPE],
    ['a medium that is none', 'POST', CREATE, { 'content-type': 'no medium' }, ENVELOPE],
    ['a transaction that there is not', 'PATCH', '/transactions/none', { ...JSON_TYPE, 'if-match': '1' }, '{}'],
    ['no version', 'PATCH', '/transactions/tx1', JSON_TYPE, '{"rcpt_to": [{"m": "kim@dest.test"}]}'],
    ['another version', 'PATCH', '/transactions/tx1', { ...JSON_TYPE, 'if-match': '99' }, '{"filter_output": {}}'],
    ['a body in a PATCH', 'PATCH', '/transactions/tx1', { ...JSON_TYPE, 'if-match': '1' }, '{"body": {}}'],
    ['a message for nobody', 'PUT', '/transactions/none/body', MESSAGE, 'hello'],
    ['a message that is too large', 'PUT', '/transactions/tx1/body', MESSAGE, 'x'.repeat(2000)],
    ['a range that is none', 'PUT', '/transactions/tx1/body', { ...MESSAGE, 'content-range': 'bytes 9-1/2' }, 'x'],
    ['a range behind a gap', 'PUT', '/transactions/tx1/body', { ...MESSAGE, 'content-range': 'bytes 5-5/9' }, 'x'],
    ['a path that has to be decoded', 'PATCH', '/transactions/tx%31', JSON_TYPE, '{}'],
  ])('%s, is answered as anywhere', async (_, method, target, headers, body) => {
    const { url } = await startRestServer({}, { bodyLimits: { jsonBytes: 1000, blobBytes: 1000 } });
    const created = await rawRequest('POST', url + CREATE, { body: JSON.parse(ENVELOPE) });
    expect(created.status).toBe(201);
    const anywhere = await fetch(url + target, { method, headers, body });
    const { socket, next } = await joined(url);
    socket.write(encodeFrame(1, kinds.request, `${method} ${target}`, headers, body));
    const answer = await next();
    expect(anywhere.status).toBeGreaterThanOrEqual(400);
    expect(answer.start).toBe(String(anywhere.status));
    expect(JSON.parse(answer.entity.toString('utf8'))).toEqual(await anywhere.json());
    expect(answer.headers['content-type']).toBe(anywhere.headers.get('content-type'));
    expect(answer.headers['content-range'] ?? null).toBe(anywhere.headers.get('content-range'));
  });
});

describe('what is done by frames', () => {
  it('is shown as what is done by requests of their own, and counted like it', async () => {
    const answers: string[] = [];
    const onAnswer = ({
      method,
      route,
      status,
    }: {
      method: string;
      route: string | undefined;
      status: number;
    }): void => {
      answers.push(`${method} ${route} ${status}`);
    };
    const { url, service } = await startRestServer({}, { hooks: { onAnswer } });
    const { socket, next } = await joined(url);
    socket.write(encodeFrame(1, kinds.request, `POST ${CREATE}`, JSON_TYPE, ENVELOPE));
    const { headers, start } = await next();
    expect(start).toBe('201');
    const place = new URL(headers.location as string).pathname;
    socket.write(
      encodeFrame(
        2,
        kinds.request,
        `PUT ${place}/body`,
        { ...MESSAGE, prefer: 'return=representation, wait=20' },
        'hello',
      ),
    );
    const answer = await next();
    expect(answer).toMatchObject({ start: '200', headers: { 'preference-applied': 'return=representation' } });
    expect(JSON.parse(answer.entity.toString('utf8'))).toMatchObject({ data_response: { code: 250 } });
    expect(service.latest.live.state.body?.size).toBe(5);
    expect(answers).toEqual(['POST /senders/:sender/transactions 201', 'PUT /transactions/:id/body 200']);
  });
});
