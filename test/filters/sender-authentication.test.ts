/** The chain that a receiver of mail runs: who is the peer, may it send, who signed, and does the author's domain stand behind it. */
import { describe, expect, it } from 'vitest';
import { chainOf, mistakesOf, type OpenedChain, type StepYaml } from '../helpers/chain.ts';
import { fakeDns, type Zone } from '../helpers/fake-deps.ts';
import { published, signedBy, testKey } from '../helpers/signed-mail.ts';

const author = testKey('bank.test');
const stranger = testKey('evil.test');

const zone = {
  ptr: { '192.0.2.1': ['mx.bank.test.'] },
  addresses: { 'mx.bank.test': ['192.0.2.1'] },
  txt: {
    ...published(author, stranger),
    'bank.test': ['v=spf1 ip4:192.0.2.1 -all'],
    'evil.test': ['v=spf1 ip4:203.0.113.9 -all'],
    '_dmarc.bank.test': ['v=DMARC1; p=reject'],
  },
} satisfies Zone;

const rejectForged = {
  filter: 'policy_action',
  tag: 'dmarc',
  match: { matcher: 'dmarc_check', result: 'fail', policy: 'reject' },
  action: 'REJECT',
  message: '5.7.1 the author’s domain does not stand behind this message',
};
const waitForDns = {
  filter: 'policy_action',
  tag: 'dmarc-temp',
  match: { matcher: 'dmarc_check', result: 'temperror' },
  action: 'REJECT',
  code: 451,
  message: '4.7.0 try again',
};
const steps: readonly StepYaml[] = [
  { filter: 'remote_host' },
  { filter: 'spf_check' },
  { filter: 'dkim_check' },
  { filter: 'dmarc_check' },
  rejectForged,
  waitForDns,
];

const ok = '250 2.0.0 ok';
const refused = '550 5.7.1 the author’s domain does not stand behind this message';
const message = 'From: Teller <teller@bank.test>\r\nSubject: hello\r\n\r\nGive me your password\r\n';

interface Mail {
  readonly from: string;
  readonly ip: string;
  readonly body: string | Buffer;
  readonly zone?: Zone;
  readonly ehlo?: string;
}

async function deliver(mail: Mail): Promise<{ chain: OpenedChain; answer: string }> {
  const chain = chainOf({
    steps,
    deps: { dns: fakeDns(mail.zone ?? zone) },
    origin: {
      remoteHost: { host: mail.ip, port: 4711 },
      smtpMeta: { ehloHost: mail.ehlo ?? 'mx.bank.test', esmtp: true, tls: false, auth: false },
    },
  })();
  expect(await chain.mail(mail.from)).toBe(ok);
  expect(await chain.rcpt('bob@dest.test')).toBe(ok);
  return { chain, answer: await chain.data(mail.body.toString()) };
}

describe('a chain that rejects what the author’s domain disowns', () => {
  it('lets mail from the domain’s own host pass, unsigned', async () => {
    const { chain, answer } = await deliver({ from: 'teller@bank.test', ip: '192.0.2.1', body: message });
    expect(answer).toBe(ok);
    expect(chain.published).toMatchObject({
      'koukan.remote_host_filter.RemoteHostFilter': {
        status: 0,
        fcrdns: true,
        ehlo_alignment: true,
        remote_hostname: 'mx.bank.test.',
      },
      'koukan.spf_check_filter.SpfCheckFilter': { mail_from_result: 1, extra_domains_results: {} },
      'koukan.dkim_check_filter.DkimCheckFilter': { results: [] },
      'koukan.dmarc_check_filter.DmarcCheckFilter': {
        result: 'pass',
        author_domain: 'bank.test',
        policy_domain: 'bank.test',
        published_policy: 'reject',
        disposition: 'none',
        aligned_by: ['spf'],
      },
    });
  });

  it('lets signed mail pass that somebody forwarded', async () => {
    const body = await signedBy(author, message);
    const { chain, answer } = await deliver({ from: 'list@evil.test', ip: '203.0.113.9', body });
    expect(answer).toBe(ok);
    expect(chain.published['koukan.dmarc_check_filter.DmarcCheckFilter']).toMatchObject({ aligned_by: ['dkim'] });
    expect(chain.reached.data[0]).toEqual(body);
  });

  it('rejects mail in the domain’s name that passes SPF and DKIM for somebody else', async () => {
    const body = await signedBy(stranger, message);
    const { chain, answer } = await deliver({ from: 'x@evil.test', ip: '203.0.113.9', body });
    expect(answer).toBe(refused);
    expect(chain.reached.data).toEqual([]);
  });

  it('asks to try again when the policy cannot be looked up', async () => {
    const failing = { ...zone, failing: ['_dmarc.bank.test'] };
    const mail = { from: 'x@evil.test', ip: '203.0.113.9', body: message, zone: failing };
    expect((await deliver(mail)).answer).toBe('451 4.7.0 try again');
  });

  it('rejects a message that hides the author behind a second From', async () => {
    const two = `From: x@evil.test\r\n${message}`;
    const { answer } = await deliver({ from: 'x@evil.test', ip: '203.0.113.9', body: await signedBy(stranger, two) });
    expect(answer).toBe(refused);
  });

  it('rejects a message that hides the author behind a lone CR, which is a line end to whoever gets it', async () => {
    const hidden = `X-Note: a\r${message.replace('\r\n', '\r\nFrom: x@evil.test\r\n')}`;
    const mail = { from: 'x@evil.test', ip: '203.0.113.9', body: await signedBy(stranger, hidden) };
    expect((await deliver(mail)).answer).toBe(refused);
  });

  it.each([
    ['no From', 'Subject: x\r\n\r\nhi\r\n'],
    ['a From that is no address', 'From: <teller@\r\n\r\nhi\r\n'],
    ['nothing but a body', '\r\nhi\r\n'],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x0a, 0x3a, 0x0d]).toString('latin1')],
  ])('takes a message with %s for one that cannot be judged', async (_, body) => {
    const { chain, answer } = await deliver({ from: 'x@evil.test', ip: '203.0.113.9', body });
    expect(answer).toBe(ok);
    expect(chain.published['koukan.dmarc_check_filter.DmarcCheckFilter']).toMatchObject({ result: 'permerror' });
  });
});

describe('a dmarc_check', () => {
  it.each([
    [[{ filter: 'dkim_check' }, { filter: 'dmarc_check' }], 'spf_check'],
    [[{ filter: 'spf_check' }, { filter: 'dmarc_check' }, { filter: 'dkim_check' }], 'dkim_check'],
  ])('is refused at load before what it reads', (wrong, missing) => {
    expect(mistakesOf({ steps: wrong })).toEqual([
      expect.objectContaining({ message: expect.stringContaining(`the filter ${missing} finds out`) }),
    ]);
  });
});
