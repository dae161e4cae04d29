/** A message whose memory is only lent: it is given back once, and not before the system has done with it, however the transfer ends. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Body } from '../../../src/lib/core/body.ts';
import type { Response } from '../../../src/lib/core/response.ts';
import { leasedBody } from '../../../src/lib/router/leased-body.ts';
import { DataTransfer } from '../../../src/lib/smtp/client/data.ts';
import { Dialogue } from '../../../src/lib/smtp/client/dialogue.ts';
import { settle } from '../../helpers/fake-clock.ts';
import { realClock } from '../../helpers/fake-deps.ts';
import { type Peer, scriptedServer } from './scripted-server.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** More than the system holds for a connection that is not read. */
const ENDLESS_PIECES = 160;

interface LentBody extends Body {
  readonly text: string;
  /** How often it came back. */
  readonly returns: () => number;
  readonly returned: Promise<void>;
}

/** A body whose memory is spoiled when it comes back. */
function lentBody(pieceTexts: readonly string[], mayEnd?: () => Promise<void> | undefined): LentBody {
  const pieces = pieceTexts.map((text) => Buffer.from(text));
  let returns = 0;
  let come = (): void => undefined;
  const returned = new Promise<void>((resolve) => {
    come = resolve;
  });
  const giveBack = (): void => {
    returns += 1;
    for (const piece of pieces) piece.fill(0xdb);
    come();
  };
  return {
    text: pieceTexts.join(''),
    size: pieces.reduce((sum, { length }) => sum + length, 0),
    hasOnlyCrlf: true,
    chunks: () => expect.fail('a body that can be lent is not read'),
    retain: () => () => undefined,
    lend: () => ({ pieces, ...(mayEnd && { mayEnd }), giveBack }),
    returns: () => returns,
    returned,
  };
}

const large = (pieces: number): LentBody =>
  lentBody(Array.from({ length: pieces }, (_, i) => `${i} ${'x'.repeat(65_000)}\r\n`));

/** Sends the body to a server that says what the script says, and answers with what was heard. */
async function send(body: Body, script: (peer: Peer) => Promise<void>): Promise<readonly Response[]> {
  const server = await scriptedServer(async (peer) => {
    await peer.line();
    peer.say('354 go on\r\n');
    await script(peer);
  });
  cleanups.push(() => server.close());
  const socket = connect(server.port, server.host);
  await once(socket, 'connect');
  const dialogue = new Dialogue(socket, { clock: realClock, timeoutMs: 20_000 });
  cleanups.push(async () => dialogue.destroy());
  const transfer = new DataTransfer(dialogue);
  dialogue.flush();
  return new Promise((resolve) => transfer.send({ body, replies: 1, hear: resolve }));
}

describe('a message that is lent', () => {
  it.each([
    ['small', lentBody(['a\r\n', '.b\r\n'])],
    ['of several pieces', lentBody([`${'a'.repeat(40_000)}\r\n`, '.b\r\n'])],
    ['large', large(20)],
  ])('arrives whole and comes back once: %s', async (_, body) => {
    let heard: string | undefined;
    const answers = await send(body, async (peer) => {
      heard = await peer.until('\r\n.\r\n');
      peer.say('250 2.0.0 taken\r\n');
    });
    await body.returned;
    expect(answers).toMatchObject([{ code: 250 }]);
    expect(heard).toBe(`${body.text.replace(/^\./gm, '..')}.\r\n`);
    expect(body.returns()).toBe(1);
  });

  it('comes back when the server has had enough in the middle of a write', async () => {
    const body = large(ENDLESS_PIECES);
    const answers = await send(body, async (peer) => {
      await peer.until('x');
      peer.socket.pause();
      peer.say('552 5.3.4 enough\r\n');
    });
    expect(answers).toMatchObject([{ code: 552 }]);
    await body.returned;
    expect(body.returns()).toBe(1);
  });

  it('comes back when the connection is lost in the middle of a write', async () => {
    const body = large(ENDLESS_PIECES);
    const answers = await send(body, async (peer) => {
      await peer.until('x');
      peer.socket.destroy();
    });
    expect(answers).toMatchObject([{ code: 450 }]);
    await body.returned;
    expect(body.returns()).toBe(1);
  });

  it.each([
    [
      'has had enough',
      (peer: Peer) => {
        peer.socket.pause();
        peer.say('552 5.3.4 enough\r\n');
      },
    ],
    ['is gone', (peer: Peer) => peer.socket.destroy()],
  ])('is not asked for its end when the server %s in the middle of a write', async (_, act) => {
    let asked = 0;
    const pieces = Array.from({ length: ENDLESS_PIECES }, () => `${'x'.repeat(65_000)}\r\n`);
    const body = lentBody(pieces, () => {
      asked += 1;
      return undefined;
    });
    await send(body, async (peer) => {
      await peer.until('x');
      act(peer);
    });
    await body.returned;
    expect(asked).toBe(0);
  });

  it.each([
    ['small', ['a\r\n']],
    ['large', Array.from({ length: 20 }, () => `${'x'.repeat(65_000)}\r\n`)],
  ])('comes back, without its end, when that may not go out: %s', async (_, pieces) => {
    const body = lentBody(pieces, () => Promise.reject(new Error('taken over')));
    let heard: string | undefined;
    const answers = await send(body, async (peer) => {
      heard = await peer.until('\r\n.\r\n');
    });
    await body.returned;
    expect(answers).toMatchObject([{ code: 451 }]);
    expect(heard).toBeUndefined();
    expect(body.returns()).toBe(1);
  });
});

it('that is read while it is sent is not read to its end, nor asked for it, when the server has had enough', async () => {
  const [reading, isReading] = later();
  const [answered, isAnswered] = later();
  const piece = Buffer.from(`${'x'.repeat(100)}\r\n`);
  let asked = 0;
  const stored: Body = {
    size: 3 * piece.length,
    async *chunks() {
      yield piece;
      yield piece;
      isReading();
      await answered;
      yield piece;
    },
    retain: () => () => undefined,
  };
  const mayEnd = (): boolean => {
    asked += 1;
    return true;
  };
  const answers = await send(leasedBody(stored, { mayEnd, keptBack: () => undefined }), async (peer) => {
    await reading;
    peer.say('552 5.3.4 enough\r\n');
  });
  expect(answers).toMatchObject([{ code: 552 }]);
  isAnswered();
  await settle();
  expect(asked).toBe(0);
});

function later(): readonly [Promise<void>, () => void] {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return [promise, resolve];
}
