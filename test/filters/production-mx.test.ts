/** The chain `mx` of the configuration for real mail, as it is shipped: what it lets in, what it refuses, and what it writes down. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { sealMessage } from 'mailauth/lib/arc/index.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ChainAsk, chainOf, type OpenedChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns, type Zone } from '../helpers/fake-deps.ts';
import { published, signedBy, type TestKey, testKey } from '../helpers/signed-mail.ts';

interface RouterYaml {
  readonly endpoint: readonly { readonly name: string; readonly chain: readonly StepYaml[] }[];
}

const file = path.resolve(import.meta.dirname, '../../config/production/router.yaml');
const router = parse(readFileSync(file, 'utf8')) as RouterYaml;
const steps =
  router.endpoint.find(({ name }) => name === 'mx')?.chain.filter(({ filter }) => filter !== 'exploder') ?? [];
const mailboxes = {
  name: 'mailboxes',
  endpoint: 'http://127.0.0.1:1/senders/r/transactions',
  sender: 'r',
  options: {},
};

const bank = testKey('bank.test');
const evil = testKey('evil.test');
const list = testKey('lists.example.org');
const zone: Zone = {
  ptr: { '192.0.2.1': ['mx.bank.test.'] },
  addresses: { 'mx.bank.test': ['192.0.2.1'] },
  txt: {
    ...published(bank, evil, list),
    'bank.test': ['v=spf1 ip4:192.0.2.1 -all'],
    'evil.test': ['v=spf1 ip4:203.0.113.9 -all'],
    '_dmarc.bank.test': ['v=DMARC1; p=reject'],
  },
};
const message =
  'From: Teller <teller@bank.test>\r\nTo: bob@example.com\r\nSubject: hello\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\n' +
  'Message-ID: <1@bank.test>\r\n\r\nGive me your password\r\n';

const byBank = { ip: '192.0.2.1', from: 'teller@bank.test', ehlo: 'mx.bank.test' };
const byEvil = { ip: '203.0.113.9', from: 'x@evil.test', ehlo: 'evil.test' };
const compiled = (dns: Zone): ChainAsk => ({ steps, restEndpoints: [mailboxes], deps: { dns: fakeDns(dns) } });

interface Peer {
  readonly ip: string;
  readonly from: string;
  readonly ehlo: string;
}

async function deliver(peer: Peer, mail: string | Buffer): Promise<{ answer: string; chain: OpenedChain }> {
  const chain = chainOf({
    ...compiled(zone),
    origin: {
      remoteHost: { host: peer.ip, port: 4711 },
      smtpMeta: { ehloHost: peer.ehlo, esmtp: true, tls: true, auth: false },
    },
  })();
  for (const said of [await chain.mail(peer.from), await chain.rcpt('bob@example.com')]) {
    if (!said.startsWith('250')) return { answer: said, chain };
  }
  return { answer: await chain.data(mail), chain };
}

async function sealed(mail: string, key: TestKey): Promise<string> {
  const header = await sealMessage(mail, {
    signingDomain: key.domain,
    selector: key.selector,
    privateKey: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    algorithm: 'rsa-sha256',
    authResults: 'mx.test; dmarc=pass header.from=bank.test',
    signTime: new Date(Date.UTC(2026, 0, 1)),
    cv: 'none',
  } as unknown as Parameters<typeof sealMessage>[1]);
  return header.toString() + mail;
}

const ok = '250 2.0.0 ok';
const dmarc = "550 5.7.26 the author's domain asks to reject this (DMARC)";

describe('the mx chain of the configuration for real mail', () => {
  it("lets in what the author's domain stands behind, and writes down why, above everything forged in our name", async () => {
    const forged = 'Authentication-Results: mx.example.com; dmarc=pass header.from=forged.test\r\n';
    const { answer, chain } = await deliver(byBank, forged + (await signedBy(bank, message)).toString());
    expect(answer).toBe(ok);
    const arrived = String(chain.reached.data[0]);
    expect(arrived).not.toContain('forged.test');
    expect(arrived.replaceAll(/\r\n[\t ]+/g, ' ')).toMatch(
      /^Authentication-Results: mx\.example\.com; iprev=pass .*; spf=pass .*; dkim=pass .*; dmarc=pass .*; arc=none\r\nDKIM-Signature:/,
    );
    expect(arrived.endsWith(message)).toBe(true);
  });

  it.each([
    ['as it is', async () => message],
    ['signed by somebody else', async () => signedBy(evil, message)],
    ['beside an author of its own', async () => signedBy(evil, `From: x@evil.test\r\n${message}`)],
    ['behind a display name', async () => message.replace('Teller', '"x@evil.test"')],
    [
      'below the domain, with a label that is no punycode',
      async () => message.replace('bank.test>', 'xn--a.bank.test>'),
    ],
    ['in capitals, with the dot of the root', async () => message.replace('bank.test>', 'BANK.Test.>')],
    ['sealed by whoever forged it', async () => sealed(message, evil)],
  ])('refuses a message in the name of a domain that asks for it: %s', async (_, mail) => {
    expect((await deliver(byEvil, await mail())).answer).toBe(dmarc);
  });

  it('lets in what a forwarder we know has sealed', async () => {
    expect((await deliver(byEvil, await sealed(message, list))).answer).toBe(ok);
  });

  it.each([
    ['no From', message.replace(/^From: .*\r\n/, '')],
    [
      'an author beside another that only some can read',
      message.replace('Teller <', 'x@evil.test, <').replace('bank.test>', 'bank..test>'),
    ],
    ['a From that is only text', message.replace('<teller@bank.test>', 'of bank.test')],
    ['a From behind more header than anybody reads', `${'X: y\r\n'.repeat(200_000)}${message}`],
  ])('refuses a message with %s', async (_, mail) => {
    expect((await deliver(byEvil, mail)).answer).toMatch(
      /^550 5\.(?:7\.1 the From header names no author|6\.0 this is not)/,
    );
  });

  it('refuses a peer that SPF forbids, a loop, and a recipient that is not ours', async () => {
    expect((await deliver({ ...byEvil, from: 'teller@bank.test' }, message)).answer).toMatch(/^550 5\.7\.23 /);
    expect((await deliver(byBank, `Received: x\r\n`.repeat(51) + message)).answer).toMatch(/^550 5\.4\.6 /);
    const chain = chainOf(compiled(zone))();
    await chain.mail('a@evil.test');
    expect(await chain.rcpt('bob@elsewhere.test')).toMatch(/^550 5\.1\.1 /);
    expect(await chain.rcpt('"bob"@example.com')).toBe(ok);
  });
});
