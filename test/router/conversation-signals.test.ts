/** Checks are made once, in the chain of the conversation; what came of them is known wherever one of its recipients goes. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reply } from '../../src/lib/core/response.ts';
import { itself } from '../../src/lib/http/caller.ts';
import { databases, type TestDatabase } from '../helpers/databases.ts';
import { tickUntil } from '../helpers/fake-clock.ts';
import { DEFAULT_CHAINS, type Harness, sendAs, startRouter } from '../helpers/router-harness.ts';

const VALIDATION = 'koukan.message_validation_filter.MessageValidationFilter';
const POLICIES = 'koukan.policy_action_filter.PolicyActionFilter';

const CHAINS = DEFAULT_CHAINS.replace(
  '- name: msa\n  chain: [',
  '- name: msa\n  chain: [{filter: message_validation}, {filter: policy_action, tag: seen, action: MATCH}, ',
)
  .replace(
    'filter: router, destination: {endpoint: far}',
    'filter: router, destination: {endpoint: far, options: {send_filter_output: true}}',
  )
  .replace(
    '  - {filter: message_builder}',
    '  - {filter: message_builder}\n  - {filter: policy_action, tag: seen, name: later, action: LOG}',
  );

const message =
  'From: a@example.com\r\nDate: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.com>\r\n\r\nhi\r\n';

describe.each(databases)('on $name', (kind) => {
  let database: TestDatabase;
  let harness: Harness;
  beforeEach(async () => {
    database = await kind.create();
    harness = await startRouter({ databaseUrl: database.url, chains: CHAINS });
  });
  afterEach(async () => {
    await harness.stop();
    await database.drop();
  });

  const findings = (): readonly (readonly string[])[] =>
    harness.far.deliveries.map(({ ask, notes }) =>
      Object.keys({ ...ask.filterOutput, ...notes.filterOutput }).toSorted(),
    );

  it('a next hop that wants to know is told, at once', async () => {
    expect((await sendAs(harness, 'submission', ['bob@far.example'], message)).data?.code).toBe(250);
    expect(findings()).toEqual([[VALIDATION, POLICIES].toSorted()]);
  });

  it('and after a retry from the store, which an operator sees the same way', async () => {
    let isUp = false;
    harness.far.answers = (stage) => (stage === 'data' && !isUp ? reply(451, '4.3.0', 'later') : undefined);
    expect((await sendAs(harness, 'submission', ['bob@far.example'], message)).data?.code).toBe(250);
    const [listed] = (await harness.store.list({ filter: { sender: 'submission' }, limit: 1 })).transactions;
    const history = await harness.router.queue.history(listed?.record.id ?? '', itself);
    expect(Object.keys(history.signals).toSorted()).toEqual([VALIDATION, POLICIES].toSorted());
    expect(history.policies).toMatchObject([
      { rule: 'seen', place: expect.stringMatching(/^router\.yaml:\d+/) },
      { rule: 'later' },
    ]);
    isUp = true;
    await tickUntil(harness.clock, () => harness.far.deliveries.length === 1);
    expect(findings()).toEqual([[VALIDATION, POLICIES].toSorted()]);
    expect(JSON.stringify(harness.far.deliveries)).not.toContain('router.yaml');
  });

  it('but judges nothing in the chain of the recipient: its own policies of the same tag still do', async () => {
    await sendAs(harness, 'submission', ['bob@far.example'], message);
    const lines = harness.log.filter(({ text }) => text === 'policy matched');
    expect(lines.map(({ fields }) => fields.rule)).toEqual(['seen', 'later']);
  });
});
