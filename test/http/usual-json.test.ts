import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { isUsualCreate, isUsualUpdate } from '../../src/lib/http/usual-json.ts';
import { addRcptsJson, createJson } from '../../src/lib/http/wire-create.ts';
import { createSchema, updateSchema } from '../../src/lib/http/wire-schema.ts';

const odd = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.jsonValue(),
  fc.constantFrom('', 'a b', 'a=b', 'é', '\ud800', null),
);
const text = fc.oneof({ weight: 8, arbitrary: fc.string({ maxLength: 20 }) }, { weight: 1, arbitrary: odd });
const word = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('SIZE', 'BODY', '8BITMIME') },
  { weight: 1, arbitrary: odd },
);
const count = fc.oneof(
  { weight: 6, arbitrary: fc.nat(70_000) },
  { weight: 1, arbitrary: fc.constantFrom(-1, 0.5, 1e300, '1') },
);
const flag = fc.oneof({ weight: 8, arbitrary: fc.constantFrom(true, false, null) }, { weight: 1, arbitrary: odd });
const few = { requiredKeys: [] };
const param = fc.record({ k: word, p: word, x: odd }, { requiredKeys: ['k'] });
const box = fc.oneof(
  { weight: 4, arbitrary: fc.record({ m: text }) },
  {
    weight: 4,
    arbitrary: fc.record({ m: text, e: fc.array(fc.record({ k: word, p: word }, { requiredKeys: ['k'] })) }),
  },
  { weight: 1, arbitrary: fc.record({ m: text, e: fc.array(param, { maxLength: 30 }), x: odd }, few) },
);
const place = fc.oneof({ weight: 6, arbitrary: fc.tuple(text, count) }, { weight: 1, arbitrary: fc.array(odd) });
const meta = fc.record({ ehlo_host: text, esmtp: flag, tls: flag, auth: flag }, few);
const create = fc.record(
  {
    sender: fc.record({ name: text, tag: text }, few),
    remote_host: place,
    local_host: place,
    mail_from: box,
    rcpt_to: fc.array(box, { maxLength: 3 }),
    smtp_meta: meta,
    body: fc.oneof(
      { weight: 4, arbitrary: fc.record({ inline: text }) },
      { weight: 1, arbitrary: fc.record({ inline: odd, reuse_uri: text, x: odd }, few) },
    ),
  },
  few,
);
const update = fc.record({ rcpt_to: fc.array(box, { maxLength: 3 }), rcpt_to_list_offset: count, mail_from: odd }, few);

/** As it arrives: what has no JSON is gone. */
const parsed = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a request that looks as usual', () => {
  it('is one that the schemas take as it is', () => {
    fc.assert(
      fc.property(fc.oneof(create, update, fc.jsonValue()).map(parsed), (json) => {
        const isUsual = [isUsualCreate(json), isUsualUpdate(json)];
        for (const [i, schema] of [createSchema, updateSchema].entries()) {
          if (isUsual[i]) expect(schema.safeParse(json)).toEqual({ success: true, data: json });
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('is what we ask ourselves', () => {
    const from = mailbox('ann@far.test', [{ keyword: 'SIZE', value: '4096' }, { keyword: 'SMTPUTF8' }]);
    const ask = {
      sender: 'ingress',
      tag: 'mx',
      remoteHost: { host: '::1', port: 40_022 },
      localHost: { host: 'mx.dest.test', port: 25 },
      smtpMeta: { ehloHost: '', esmtp: true, tls: false, auth: false },
      rcptTimeoutMs: 1000,
      dataTimeoutMs: 1000,
      createAt: 'mail',
    } as const;
    expect(isUsualCreate(parsed(createJson(ask, from, [])))).toBe(true);
    expect(isUsualCreate(parsed(createJson(ask, from, [mailbox('')])))).toBe(true);
    expect(isUsualUpdate(parsed(addRcptsJson([from], 0)))).toBe(true);
    expect(isUsualUpdate(parsed(addRcptsJson([from], 1)))).toBe(true);
  });

  it('is what an application asks that has a whole message', () => {
    const envelope = { mail_from: { m: 'ann@far.test' }, rcpt_to: [{ m: 'bob@near.test' }] };
    expect(isUsualCreate({ ...envelope, body: { inline: 'subject: hé\r\n\r\n\u0000' } })).toBe(true);
    expect(isUsualCreate({ ...envelope, body: {} })).toBe(false);
  });

  it('is not one with a key of every object', () => {
    expect(isUsualCreate(JSON.parse('{"__proto__":{}}'))).toBe(false);
    expect(isUsualCreate(JSON.parse('{"mail_from":{"m":"a@b","__proto__":1}}'))).toBe(false);
    expect(isUsualUpdate(JSON.parse('{"constructor":1}'))).toBe(false);
  });
});
