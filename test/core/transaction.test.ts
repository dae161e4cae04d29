/** The reducer of a transaction: which steps are legal, and that an illegal one changes nothing. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryBody } from '../../src/lib/core/body.ts';
import { mailbox } from '../../src/lib/core/mailbox.ts';
import { type Response, reply } from '../../src/lib/core/response.ts';
import {
  answeredRcpts,
  decisive,
  IllegalStepError,
  NEW_TX,
  reduce,
  type TxEvent,
  type TxState,
} from '../../src/lib/core/transaction.ts';

const from = mailbox('a@from.test');
const to = mailbox('b@to.test');
const other = mailbox('c@to.test');
const body = memoryBody(Buffer.from('x'));
const good = reply(250, '2.0.0', 'ok');
const temp = reply(450, '4.2.1', 'later');
const perm = reply(550, '5.1.1', 'no');
const odd = { code: 354, text: 'go ahead' };

const mail: TxEvent = { type: 'mail', from };
const rcpt: TxEvent = { type: 'rcpt', to };
const complete: TxEvent = { type: 'body', body };
const cancel: TxEvent = { type: 'cancel' };
const attempt: TxEvent = { type: 'attempt' };
const adopt: TxEvent = { type: 'adopt', retry: true, notification: false };
const finish: TxEvent = { type: 'finish', final: { outcome: 'delivered', text: 'done' } };
const mailReply = (response = good): TxEvent => ({ type: 'mailReply', response });
const rcptReply = (index: number, response = good): TxEvent => ({ type: 'rcptReply', index, response });
const dataReply = (response = good): TxEvent => ({ type: 'dataReply', response });

const stateAfter = (events: readonly TxEvent[], state: TxState = NEW_TX): TxState => events.reduce(reduce, state);

test('a message goes its way from MAIL to the answer to DATA', () => {
  const state = stateAfter([mail, rcpt, attempt, mailReply(), rcptReply(0), complete, dataReply(), adopt, finish]);
  expect(state).toMatchObject({
    mailFrom: from,
    rcptTo: [to],
    body,
    replies: { mail: good, rcpt: [good], data: good },
    attemptCount: 1,
    retry: true,
    notification: false,
    final: { outcome: 'delivered' },
  });
});

test('replies to recipients come in any order, and are shown up to the first that is missing', () => {
  const asked = stateAfter([mail, rcpt, { type: 'rcpt', to: other }, rcpt, attempt]);
  const second = stateAfter([rcptReply(1, perm)], asked);
  expect(answeredRcpts(second.replies)).toEqual([]);
  const first = stateAfter([rcptReply(0)], second);
  expect(answeredRcpts(first.replies)).toEqual([good, perm]);
  expect(answeredRcpts(stateAfter([rcptReply(2, temp)], first).replies)).toEqual([good, perm, temp]);
});

test('a new attempt forgets the replies of the one before it', () => {
  const state = stateAfter([mail, rcpt, attempt, mailReply(), rcptReply(0, temp), attempt]);
  expect(state.replies).toEqual({ rcpt: [] });
  expect(state.attemptCount).toBe(2);
});

test('signals are kept by filter, the newest value of each', () => {
  const signal = (filter: string, value: unknown): TxEvent => ({ type: 'signal', filter, value });
  expect(stateAfter([signal('a', 1), signal('b', 2), signal('a', 3)]).filterOutput).toEqual({ a: 3, b: 2 });
});

test('adopting only ever adds duties', () => {
  const state = stateAfter([adopt, { type: 'adopt', retry: false, notification: true }]);
  expect(state).toMatchObject({ retry: true, notification: true });
});

test('cancelling what is final changes nothing', () => {
  const done = stateAfter([finish]);
  expect(reduce(done, cancel)).toBe(done);
});

describe('is refused', () => {
  test.each<[string, readonly TxEvent[], TxEvent]>([
    ['a second MAIL', [mail], mail],
    ['RCPT before MAIL', [], rcpt],
    ['RCPT after the message', [mail, rcpt, complete], rcpt],
    ['a second message', [mail, complete], complete],
    ['MAIL after a cancel', [cancel], mail],
    ['RCPT after a cancel', [mail, cancel], rcpt],
    ['the message after a cancel', [mail, rcpt, cancel], complete],
    ['MAIL after the end', [finish], mail],
    ['RCPT after the end', [mail, finish], rcpt],
    ['the message after the end', [mail, rcpt, finish], complete],
    ['an attempt after the end', [finish], attempt],
    ['an adoption after the end', [finish], adopt],
    ['a second end', [finish], finish],
    ['a reply to a MAIL nobody asked', [attempt], mailReply()],
    ['a second reply to MAIL', [mail, mailReply()], mailReply(perm)],
    ['a reply to a recipient that is not there', [mail, rcpt], rcptReply(1)],
    ['a reply to recipient -1', [mail, rcpt], rcptReply(-1)],
    ['a second reply to a recipient', [mail, rcpt, rcptReply(0)], rcptReply(0)],
    ['a reply to a message nobody sent', [mail, rcpt], dataReply()],
    ['a second reply to the message', [mail, rcpt, complete, dataReply()], dataReply()],
  ])('%s', (_, before, event) => {
    const state = frozen(stateAfter(before));
    const copy = structuredClone(shape(state));
    expect(() => reduce(state, event)).toThrow(IllegalStepError);
    expect(shape(state)).toEqual(copy);
  });
});

describe('any sequence of steps', () => {
  const response = fc.constantFrom<Response>(good, temp, perm, odd);
  const event = fc.oneof(
    fc.constantFrom<TxEvent>(mail, rcpt, complete, cancel, attempt, adopt, finish, { type: 'touch' }),
    fc.constantFrom<TxEvent>(mail, rcpt, rcpt, complete),
    response.map((r) => mailReply(r)),
    fc.tuple(fc.integer({ min: -1, max: 3 }), response).map(([i, r]) => rcptReply(i, r)),
    response.map((r) => dataReply(r)),
  );

  test('is legal exactly as the picture of the life cycle says, and what was said is never unsaid', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        let state = frozen(NEW_TX);
        for (const step of events) {
          const next = tried(state, step);
          expect(next !== undefined, step.type).toBe(isLegal(state, step));
          if (next === undefined) continue;
          expectOnlyGrown(state, next, step);
          state = frozen(next);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('that skips the illegal steps ends where the legal ones alone lead', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const legal: TxEvent[] = [];
        const state = events.reduce<TxState>((now, step) => {
          const next = tried(now, step);
          if (next !== undefined) legal.push(step);
          return next ?? now;
        }, NEW_TX);
        expect(stateAfter(legal)).toEqual(state);
      }),
    );
  });
});

/** The rules in the words of the documentation, written a second time. */
function isLegal(state: TxState, event: TxEvent): boolean {
  const isOpen = state.final === undefined;
  const takesAsks = isOpen && !state.cancelled;
  switch (event.type) {
    case 'mail':
      return takesAsks && !state.mailFrom;
    case 'rcpt':
      return takesAsks && state.mailFrom !== undefined && !state.body;
    case 'body':
      return takesAsks && !state.body;
    case 'mailReply':
      return state.mailFrom !== undefined && !state.replies.mail;
    case 'rcptReply':
      return event.index >= 0 && event.index < state.rcptTo.length && !state.replies.rcpt[event.index];
    case 'dataReply':
      return state.body !== undefined && !state.replies.data;
    case 'attempt':
    case 'adopt':
    case 'finish':
      return isOpen;
    case 'cancel':
    case 'signal':
    case 'touch':
      return true;
  }
}

function expectOnlyGrown(state: TxState, next: TxState, event: TxEvent): void {
  expect(next.rcptTo.slice(0, state.rcptTo.length)).toEqual(state.rcptTo);
  expect(next.replies.rcpt.length).toBeLessThanOrEqual(next.rcptTo.length);
  if (state.mailFrom) expect(next.mailFrom).toBe(state.mailFrom);
  if (state.body) expect(next.body).toBe(state.body);
  if (state.final) expect(next.final).toBe(state.final);
  if (state.cancelled) expect(next.cancelled).toBe(true);
  if (event.type === 'attempt') return;
  if (state.replies.mail) expect(next.replies.mail).toBe(state.replies.mail);
  if (state.replies.data) expect(next.replies.data).toBe(state.replies.data);
  state.replies.rcpt.forEach((known, i) => {
    if (known) expect(next.replies.rcpt[i]).toBe(known);
  });
}

function tried(state: TxState, event: TxEvent): TxState | undefined {
  try {
    return reduce(state, event);
  } catch (error) {
    if (error instanceof IllegalStepError) return undefined;
    throw error;
  }
}

/** Frozen, so that a step which changes its argument throws. */
function frozen(state: TxState): TxState {
  Object.freeze(state.rcptTo);
  Object.freeze(state.replies.rcpt);
  Object.freeze(state.replies);
  Object.freeze(state.filterOutput);
  return Object.freeze(state);
}

/** What of a state can be copied and compared. */
function shape({ body: message, ...rest }: TxState): unknown {
  return { ...rest, size: message?.size };
}

describe('the reply that decides', () => {
  const two = [mail, rcpt, { type: 'rcpt', to: other }] as const satisfies readonly TxEvent[];
  test.each<[string, readonly TxEvent[], Response | undefined]>([
    ['nothing was answered', [mail, rcpt], undefined],
    ['MAIL was accepted', [mail, rcpt, mailReply()], undefined],
    ['MAIL was refused for now', [mail, rcpt, mailReply(temp)], temp],
    ['MAIL was refused', [mail, rcpt, mailReply(perm)], perm],
    ['MAIL was answered with something odd', [mail, mailReply(odd)], odd],
    ['MAIL was refused before there is a recipient', [mail, mailReply(perm)], perm],
    ['a refused MAIL outweighs the recipient', [mail, rcpt, rcptReply(0, perm), mailReply(temp)], temp],
    ['the recipient was accepted', [mail, rcpt, mailReply(), rcptReply(0)], undefined],
    ['the only recipient was refused', [mail, rcpt, mailReply(), rcptReply(0, perm)], perm],
    ['the only recipient was refused for now', [mail, rcpt, mailReply(), rcptReply(0, temp)], temp],
    ['the only recipient was refused, MAIL not answered', [mail, rcpt, rcptReply(0, perm)], perm],
    ['one of two recipients was refused', [...two, rcptReply(0, perm)], undefined],
    ['one of two is refused, one accepted', [...two, rcptReply(0, perm), rcptReply(1)], undefined],
    ['all were refused: the first counts', [...two, rcptReply(1, perm), rcptReply(0, temp)], temp],
    ['the message was accepted', [mail, rcpt, mailReply(), rcptReply(0), complete, dataReply()], good],
    ['the message was refused', [mail, rcpt, mailReply(), rcptReply(0), complete, dataReply(perm)], perm],
    ['the message is there and nothing answered', [mail, rcpt, complete], undefined],
    ['the message is there without any recipient', [mail, complete], undefined],
  ])('%s', (_, events, expected) => {
    expect(decisive(stateAfter(events))).toEqual(expected);
  });

  describe('while more recipients may follow', () => {
    const open: TxState = { ...NEW_TX, incremental: true };
    test('no refusal of recipients decides', () => {
      expect(decisive(stateAfter([mail, rcpt, mailReply(), rcptReply(0, perm)], open))).toBeUndefined();
      expect(decisive(stateAfter([...two, rcptReply(0, perm), rcptReply(1, perm)], open))).toBeUndefined();
    });
    test('the message closes the list', () => {
      expect(decisive(stateAfter([...two, rcptReply(0, temp), rcptReply(1, perm), complete], open))).toEqual(temp);
      expect(decisive(stateAfter([mail, rcpt, rcptReply(0, perm), complete], open))).toEqual(perm);
    });
    test('a refused MAIL decides at once', () => {
      expect(decisive(stateAfter([mail, mailReply(temp)], open))).toEqual(temp);
    });
  });
});
