/**
 * Destinations that refuse, fall silent or break off at each step, and a DNS that fails: mail servers hear 4xx in time, users and
 * applications may forget their message, and when the fault is over everything arrives by itself.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it, type TestContext } from 'vitest';
import { dnsServer } from '../helpers/dns-server.ts';
import { Journey, shapes } from '../helpers/journey.ts';
import { allIsDone, NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, MESSAGE, sendSmtp } from '../helpers/journey-mail.ts';
import { freePort } from '../helpers/journey-ports.ts';
import { FaultyFarEnd, type How, type Step, steps } from './faulty-far-end.ts';
import { FaultyMachine, whyNoFaultyMachine } from './faulty-machine.ts';
import { leftOut } from './left-out.ts';

const whyNot = whyNoFaultyMachine();
leftOut(whyNot, 'No destination is made to fail step by step');

const cases = steps.flatMap((step) => (['stalls', 'resets'] as const).map((how): [Step, How] => [step, how]));

/** Mail does not wait for TLS that cannot be had: it goes in clear, in time for a mail server that waits or not. */
const goesInClear = (domain: string): boolean => domain.startsWith('tls-');

/** Names are resolved, and the gateway waits for no reply for longer than two seconds. */
async function resolving(journey: Journey, port: number): Promise<void> {
  const router = await readFile(journey.routerFile, 'utf8');
  const route = /\{filter: router, .*\}$/m;
  const policy = `{filter: router, policy: {name: dest_domain, dest_port: ${port}, destination: {endpoint: gateway}}}`;
  await writeFile(journey.routerFile, router.replace(route, `${policy}\n  - {filter: dns_resolution, suffix: ''}`));
  const gateway = await readFile(journey.gatewayFile, 'utf8');
  await writeFile(journey.gatewayFile, gateway.replace('timeout: 300', 'timeout: 2'));
}

async function openDestinations(context: TestContext, port: number, farPort: number) {
  const domains = cases.map(([step, how], i) => ({
    step,
    how,
    domain: `${step}-${how}.example`,
    host: `127.0.1.${i + 1}`,
  }));
  const fars = await Promise.all(
    domains.map(({ step, how, host }) => FaultyFarEnd.open(context, { host, port, farPort, step, how })),
  );
  const records = Object.fromEntries(domains.map(({ domain, host }) => [domain, { A: [host] }]));
  return { domains: domains.map(({ domain }) => domain), fars, records };
}

describe.runIf(whyNot === undefined)(
  'destinations that fail at each step, and a DNS that fails',
  { timeout: 60_000 },
  () => {
    it.concurrent.for(shapes)('cost time and nothing else: %s', async (shape, context) => {
      const { expect } = context;
      const journey = await Journey.open(context, {
        times: { mxRcpt: 4, mxData: 4, msaRcpt: 1, msaData: 1 },
        farOffers: ['PIPELINING', '8BITMIME'],
      });
      const machine = FaultyMachine.in(journey.folder);
      context.onTestFinished(() => machine.close());
      const port = await freePort();
      const { domains, fars, records } = await openDestinations(context, port, journey.sink.port);
      // Where only MX is not answered the address must not be taken for a mail host (RFC 5321, section 5.1).
      const dnsFaults = {
        silent: ['silent.example'],
        failing: ['failing.example'],
        refused: ['refused.example', 'MX refused-mx.example'],
        garbled: ['garbled.example', 'MX garbled-mx.example'],
        truncated: ['MX truncated-mx.example'],
      };
      const unresolved = Object.values(dnsFaults).flatMap((names) => names.map((name) => name.replace('MX ', '')));
      const refusing = 'refusing.example';
      const zone = {
        ...dnsFaults,
        records: {
          ...records,
          ...Object.fromEntries(unresolved.map((domain) => [domain, { A: ['127.0.2.1'] }])),
          [refusing]: { A: ['127.0.2.2'] },
        },
        ttlSeconds: 1,
      };
      const dns = await dnsServer(zone);
      context.onTestFinished(() => dns[Symbol.asyncDispose]());
      journey.env = machine.envWithDns(dns.address);
      await resolving(journey, port);
      const healthy = { port, farPort: journey.sink.port, step: 'connect', how: 'resets' } as const;
      (await FaultyFarEnd.open(context, { ...healthy, host: '127.0.2.1' })).heal();
      const started = await journey.start(shape);
      const { mx, msa } = journey.ports;
      const all = [...domains, ...unresolved, refusing];

      const told = await Promise.all(
        all.map(async (domain) => {
          const before = performance.now();
          const [ingress, user, app] = await Promise.all([
            sendSmtp(context, { port: mx, rcpts: [`mx@${domain}`] }),
            sendSmtp(context, { port: msa, rcpts: [`user@${domain}`] }),
            createRest({ url: journey.routerUrl, rcpt: `app@${domain}`, message: MESSAGE }),
          ]);
          const mxText = ingress.data ?? ingress.rcpts?.[0] ?? ingress.mail;
          return { domain, mx: mxText, user: user.data, app: app.status, ms: performance.now() - before };
        }),
      );
      expect(
        told.filter((each) => !(goesInClear(each.domain) ? /^250 |^4\d\d 4\./ : /^4\d\d 4\./).test(each.mx ?? '')),
        'a mail server',
      ).toEqual([]);
      expect(
        told.filter((each) => !/^250 /.test(each.user ?? '') || each.app !== 201),
        'a user',
      ).toEqual([]);
      // It tries again until it comes as far as that step, however slow the machine.
      for (const far of fars) await far.hasFailed;

      for (const far of fars) far.heal();
      for (const names of Object.values(dnsFaults)) names.length = 0;
      (await FaultyFarEnd.open(context, { ...healthy, host: '127.0.2.2' })).heal();
      const expected = all.flatMap((domain) => [`app@${domain}`, `user@${domain}`]);
      const arrived = (): string[] => journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address ?? '');
      // Where the answer was lost the far end had the message already, each time it was sent: nobody can know. How often that was depends on how
      // often the gateway came as far as that step in its two seconds.
      const isKnownLost = (rcpt: string): boolean => rcpt.includes('@answer-');
      while (!expected.every((rcpt) => arrived().includes(rcpt))) {
        await journey.sink.received(journey.sink.messages.length + 1);
      }
      await allIsDone(journey.databaseUrl);
      const again = await Promise.all(
        all.map((domain) => sendSmtp(context, { port: mx, rcpts: [`mx-again@${domain}`] })),
      );
      expect(again.filter(({ data }) => !data?.startsWith('250 '))).toEqual([]);
      expect(await started.stop()).toEqual(started.processes.map(() => 0));
      const twice = arrived().filter((rcpt, i, rcpts) => rcpts.indexOf(rcpt) !== i && !isKnownLost(rcpt));
      expect(twice).toEqual([]);
      const promised = new Set(told.filter(({ mx }) => mx?.startsWith('250 ')).map(({ domain }) => `mx@${domain}`));
      expect(arrived().filter((rcpt) => rcpt.startsWith('mx@') && !isKnownLost(rcpt) && !promised.has(rcpt))).toEqual(
        [],
      );
      expect([...promised].filter((rcpt) => !arrived().includes(rcpt))).toEqual([]);
      expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    });
  },
);
