/** ARC chains, sealed by a library that is not ours: which hold, which do not, and who sealed them (RFC 8617). */
import { sealMessage } from 'mailauth/lib/arc/index.js';
import { describe, expect, it } from 'vitest';
import { verifyArc } from '../../src/lib/auth/arc/verify-arc.ts';
import { memoryBody } from '../../src/lib/core/body.ts';
import { fakeDeps, fakeDns, type Zone } from '../helpers/fake-deps.ts';
import { published, type TestKey, testKey } from '../helpers/signed-mail.ts';

const list = testKey('list.test', 'l1');
const forwarder = testKey('forwarder.test', 'f1');
const zone: Zone = { txt: published(list, forwarder) };
const message = 'From: Ann <ann@example.com>\r\nTo: list@list.test\r\nSubject: hello\r\n\r\nHello there\r\n';

function verify(mail: string | Buffer, dns: Zone = zone) {
  return verifyArc(memoryBody(Buffer.from(mail)), fakeDeps({ dns: fakeDns(dns) }));
}

async function seal(
  mail: string,
  key: TestKey,
  cv: 'none' | 'pass' | 'fail',
  results = 'mx.test; dmarc=pass header.from=example.com',
): Promise<string> {
  const header = await sealMessage(mail, {
    signingDomain: key.domain,
    selector: key.selector,
    privateKey: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    algorithm: 'rsa-sha256',
    authResults: results,
    signTime: new Date(Date.UTC(2026, 0, 1)),
    cv,
  } as unknown as Parameters<typeof sealMessage>[1]);
  return header.toString() + mail;
}

const once = (): Promise<string> => seal(message, list, 'none');
const twice = async (): Promise<string> => seal(await once(), forwarder, 'pass', 'fw.test; arc=pass');

describe('a chain', () => {
  it('is none where nobody sealed', async () => {
    expect(await verify(message)).toEqual({ result: 'none', sealers: [] });
  });

  it('of one hop passes, and says what that hop saw', async () => {
    expect(await verify(await once())).toEqual({
      result: 'pass',
      sealers: [{ instance: 1, domain: 'list.test', selector: 'l1' }],
      oldestPass: 0,
      firstResults: 'mx.test; dmarc=pass header.from=example.com',
    });
  });

  it('of two hops passes, and names both', async () => {
    expect(await verify(await twice())).toMatchObject({
      result: 'pass',
      sealers: [
        { instance: 1, domain: 'list.test' },
        { instance: 2, domain: 'forwarder.test' },
      ],
      oldestPass: 0,
      firstResults: 'mx.test; dmarc=pass header.from=example.com',
    });
  });

  it('still passes when the second hop changed the message, and says since when it is unchanged', async () => {
    const changed = (await once()).replace('Hello there', 'Hello there, said Ann');
    expect(await verify(await seal(changed, forwarder, 'pass'))).toMatchObject({ result: 'pass', oldestPass: 2 });
  });

  it('of thirteen hops passes, and is older than anybody looks', async () => {
    let mail = await once();
    for (let i = 0; i < 12; i += 1) mail = await seal(mail, forwarder, 'pass');
    const found = await verify(mail);
    expect(found).toMatchObject({ result: 'pass', oldestPass: 4 });
    expect(found.sealers).toHaveLength(13);
  });
});

describe('a chain fails', () => {
  it.each([
    [
      'the message was changed after the last seal',
      (text: string) => text.replace('Hello there', 'Hello'),
      'does not fit the last signature',
    ],
    [
      'what the first hop saw was changed',
      (text: string) => text.replace('dmarc=pass', 'dmarc=fail'),
      'the seal of instance 1 does not fit',
    ],
    ['a seal was changed', (text: string) => text.replace(/(ARC-Seal: i=1;.*?b=)../s, '$1AA'), 'does not fit'],
    [
      'a field is missing',
      (text: string) => text.replace(/ARC-Message-Signature: i=1;.*?\r\n(?=\S)/s, ''),
      'instance 1 is not complete',
    ],
    ['a field is there twice', (text: string) => `ARC-Authentication-Results: i=2; evil.test\r\n${text}`, 'two fields'],
    [
      'an instance is left out',
      (text: string) => text.replaceAll(/^(ARC-.*?i=)2/gm, '$13'),
      'instance 2 is not complete',
    ],
    ['an instance is no number', (text: string) => text.replace(/^(ARC-Seal: i=)2/m, '$1x'), 'without instance'],
    ['an instance is too large', (text: string) => text.replace(/^(ARC-Seal: i=)2/m, '$199'), 'without instance'],
    ['a seal says that it failed', (text: string) => text.replace('cv=pass', 'cv=fail'), 'was sealed as failed'],
    ['the first seal says that it passed', (text: string) => text.replace('cv=none', 'cv=pass'), 'unexpected cv=pass'],
    ['a seal names headers', (text: string) => text.replace('cv=pass', 'cv=pass; h=from'), 'the seal names headers'],
  ])('when %s', async (_, change, comment) => {
    const found = await verify(change(await twice()));
    expect(found).toMatchObject({ result: 'fail', comment: expect.stringContaining(comment) });
    expect(found.firstResults).toBeUndefined();
  });

  it('when a key is gone', async () => {
    const found = await verify(await twice(), { txt: published(forwarder) });
    expect(found).toMatchObject({ result: 'fail', comment: 'the seal of instance 1: no key' });
  });
});

describe('a key that DNS cannot find for the moment', () => {
  it.each([
    ['of the first hop', list],
    ['of the last hop', forwarder],
  ])('%s is no verdict', async (_, key) => {
    const found = await verify(await twice(), { ...zone, failing: [key.name] });
    expect(found).toMatchObject({ result: 'temperror', comment: 'a key could not be looked up' });
  });
});
