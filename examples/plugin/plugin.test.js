// @ts-check
/** Tests of the plugin in a real chain, without a router: `npm test`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openTestChain } from 'koukan';
import plugin from './index.js';

/** @param {import('koukan').TestChainAsk['chain']} chain */
const open = (...chain) => openTestChain({ plugins: [plugin], chain });

test('hello greets when the message was taken', async () => {
  const chain = await open({ filter: 'hello', greeting: 'good morning' });
  await chain.mail('ann@example.com');
  await chain.rcpt('hello@example.org');
  assert.equal((await chain.data('Subject: hi\r\n\r\nhi\r\n')).code, 250);
  assert.deepEqual(chain.log[0]?.fields, { plugin: 'example', greeting: 'good morning', bytes: 19 });
});

test('hello@ is routed, goodbye@ is refused, and nobody else is known', async () => {
  const destination = { host_list: [{ host: 'mail.example.org', port: 25 }] };
  const chain = await open({ filter: 'router', policy: { name: 'hello', destination } }, { filter: 'router' });
  await chain.mail('ann@example.com');
  assert.equal((await chain.rcpt('goodbye@example.org')).code, 550);
  assert.equal((await chain.rcpt('bob@example.org')).text, 'mailbox does not exist');
  assert.equal((await chain.rcpt('hello@example.org')).code, 250);
  assert.deepEqual(chain.tx.route?.hosts, [{ host: 'mail.example.org', port: 25 }]);
});

test('a policy can ask for hello@', async () => {
  const noHello = {
    filter: 'policy_action',
    tag: 'quiet',
    mode: 'PER_RCPT',
    match: { matcher: 'hello' },
    action: 'REJECT',
  };
  const chain = await open(noHello);
  await chain.mail('ann@example.com');
  assert.equal((await chain.rcpt('hello@example.org')).code, 550);
  assert.equal((await chain.rcpt('bob@example.org')).code, 250);
});

const needsTicket = {
  filter: 'policy_action',
  tag: 'ticket',
  match: { not: { matcher: 'has_ticket' } },
  action: 'REJECT',
  code: 554,
  message: '5.6.0 write the ticket into the subject, as in [#1234]',
};

test('the ticket of the subject becomes a header', async () => {
  const chain = await open({ filter: 'ticket' }, needsTicket);
  await chain.mail('ann@example.com');
  await chain.rcpt('desk@example.org');
  const answer = await chain.data('From: ann@example.com\r\nSubject: Re:\r\n [#1234] printer\r\n\r\nIt burns.\r\n');
  assert.equal(answer.code, 250);
  assert.match(String(chain.reached.data[0]), /^X-Ticket: 1234\r\nFrom: /);
  assert.deepEqual(chain.signals['example.ticket'], { number: 1234 });
});

test('mail without a ticket is refused, whatever its text says', async () => {
  const chain = await open({ filter: 'ticket' }, needsTicket);
  await chain.mail('ann@example.com');
  await chain.rcpt('desk@example.org');
  const answer = await chain.data('Subject: printer\r\n\r\nSubject: [#1234]\r\n');
  assert.equal(answer.code, 554);
  assert.deepEqual(chain.reached.data, []);
});

test('a policy that asks for the ticket before it is looked for is a mistake', async () => {
  await assert.rejects(open(needsTicket, { filter: 'ticket' }), /put that filter before this policy/);
});
