/** The message_validation matcher in a policy of a real chain: what is rejected. */
import { describe, expect, it } from 'vitest';
import { mistakesOf, openChain, type StepYaml } from '../helpers/chain.ts';

const validation: StepYaml = { filter: 'message_validation' };
const reject = (match: object): StepYaml => ({
  filter: 'policy_action',
  tag: 't',
  action: 'REJECT',
  match: { matcher: 'message_validation', ...match },
});

const received = (hops: number): string => 'Received: from a by b; Mon, 5 Jan 2026 10:00:00 +0000\r\n'.repeat(hops);
const head = 'From: a@b.test\r\nDate: Mon, 5 Jan 2026 10:00:00 +0000\r\nMessage-ID: <1@b.test>\r\n';

/** One message of each level. */
const messages = {
  NONE: 'no header here\r\n\r\nhi\r\n',
  BASIC: 'Subject: x\r\n\r\nhi\r\n',
  MEDIUM: `${head}To: <c@\r\n\r\nhi\r\n`,
  HIGH: `${head}\r\nhi\r\n`,
} as const;

async function rejects(match: object, message: string): Promise<boolean> {
  const chain = openChain({ steps: [validation, reject(match)] });
  await chain.mail('a@b.test');
  await chain.rcpt('c@d.test');
  return (await chain.data(message)).startsWith('550');
}

describe('message_validation', () => {
  const levels = ['NONE', 'BASIC', 'MEDIUM', 'HIGH'] as const;

  it.each(levels.slice(1))('validity_threshold %s matches what is below it', async (threshold) => {
    for (const level of levels) {
      const isBelow = levels.indexOf(level) < levels.indexOf(threshold);
      expect([level, await rejects({ validity_threshold: threshold }, messages[level])]).toEqual([level, isBelow]);
    }
  });

  it('max_received_headers matches a message with more of them', async () => {
    expect(await rejects({ max_received_headers: 3 }, received(3) + messages.HIGH)).toBe(false);
    expect(await rejects({ max_received_headers: 3 }, received(4) + messages.HIGH)).toBe(true);
  });

  it('is not judged on hops that could not be counted', async () => {
    expect(await rejects({ max_received_headers: 0 }, messages.NONE)).toBe(false);
    expect(await rejects({ max_received_headers: 0, validity_threshold: 'HIGH' }, messages.NONE)).toBe(false);
  });

  it('with both options needs both', async () => {
    const both = { max_received_headers: 1, validity_threshold: 'MEDIUM' };
    expect(await rejects(both, received(2) + messages.BASIC)).toBe(true);
    expect(await rejects(both, received(1) + messages.BASIC)).toBe(false);
    expect(await rejects(both, received(2) + messages.MEDIUM)).toBe(false);
  });

  it('goes by the name of the original as well', async () => {
    const match = { matcher: 'koukan.message_validation_filter.MessageValidationFilter', validity_threshold: 'HIGH' };
    expect(await rejects(match, messages.BASIC)).toBe(true);
  });

  it('is refused at load without its filter before it, with a level nobody knows, or with nothing to match', () => {
    expect(mistakesOf({ steps: [reject({ validity_threshold: 'HIGH' })] })).toMatchObject([
      { path: ['chain', 0, 'match', 'matcher'], message: expect.stringContaining('message_validation') },
    ]);
    expect(mistakesOf({ steps: [validation, reject({ validity_threshold: 'high' })] })).toMatchObject([
      { path: ['chain', 1, 'match', 'validity_threshold'] },
    ]);
    expect(mistakesOf({ steps: [validation, reject({})] })).toMatchObject([
      { message: expect.stringContaining('expected validity_threshold') },
    ]);
  });
});
