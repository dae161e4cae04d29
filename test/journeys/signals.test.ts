/** SIGTERM: what is in flight is finished and heard of, what cannot be finished is given back, and nothing is sent twice. */
import { once } from 'node:events';
import { describe, it } from 'vitest';
import { Journey, type Shape, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, MESSAGE, restOutcome, sendContent, sendSmtp, smtpClient } from '../helpers/journey-mail.ts';

const OK = '250 2.0.0 message accepted for delivery';
const CLEAN = { code: 0, signal: null };

type Part = 'router' | 'gateway';
const stops: [Shape, readonly Part[]][] = [
  ['serve', ['router']],
  ['split', ['router']],
  ['split', ['gateway']],
  ['split', ['router', 'gateway']],
];

describe('SIGTERM while a message is under way', () => {
  it.concurrent.for(stops)('lets it finish, however far it is: %s, %s', async ([shape, parts], context) => {
    const { expect } = context;
    const journey = await Journey.open(context, { flags: ['--stop-timeout=40'] });
    const started = await journey.start(shape);
    const { mx } = journey.ports;
    // One has got as far as the message, one waits for the final answer of the far end; and so does an application.
    const client = await smtpClient(context, mx);
    await client.command('MAIL FROM:<alice@example.com>');
    await client.command('RCPT TO:<early@far.example>');
    await client.command('DATA');
    journey.gate.hold('message accepted');
    const late = sendSmtp(context, { port: mx, rcpts: ['late@far.example'] });
    const app = await createRest({ url: journey.routerUrl, rcpt: 'app@far.example', message: MESSAGE });
    const outcome = restOutcome(app.location);
    await journey.gate.held(2);

    const processes = new Set(parts.map((part) => started[part]));
    for (const each of processes) each.kill('SIGTERM');
    await Promise.all([...processes].map((each) => each.until('stopping')));
    const early = sendContent(client, MESSAGE);
    await journey.gate.held(3);
    journey.gate.release();
    expect(await early).toBe(OK);
    expect((await late).data).toBe(OK);
    expect(await outcome).toMatchObject({ final_attempt_reason: 'upstream response success' });
    client.destroy();
    for (const each of processes) expect(await each.exited).toEqual(CLEAN);
    if (!parts.includes('router')) expect(await started.router.terminate()).toEqual(CLEAN);
    expect(journey.sink.messages).toHaveLength(3);
    expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
  });
});

describe('SIGTERM while the far end is silent', () => {
  it.concurrent.for(shapes)(
    'ends at the deadline, gives back what it holds, and the next start delivers: %s',
    async (shape, context) => {
      const { expect } = context;
      let isSilent = true;
      const asked = new AbortController();
      const journey = await Journey.open(context, {
        flags: ['--stop-timeout=1'],
        far: (stage, address) => {
          if (address === 'waiting@far.example') asked.abort();
          return isSilent && stage === 'rcpt' ? 'hang' : undefined;
        },
      });
      const { mx, msa } = journey.ports;
      const started = await journey.start(shape);
      expect((await sendSmtp(context, { port: msa, rcpts: ['stored@far.example'] })).data).toMatch(/^250 /);
      const app = { url: journey.routerUrl, rcpt: 'app@far.example' };
      expect(await createRest({ ...app, message: MESSAGE })).toMatchObject({ status: 201 });
      // Its message never comes.
      expect(await createRest(app)).toMatchObject({ status: 201 });
      const waiting = sendSmtp(context, { port: mx, rcpts: ['waiting@far.example'] });
      if (!asked.signal.aborted) await once(asked.signal, 'abort');
      const ends = await Promise.all(started.processes.map((each) => each.terminate()));
      expect(ends).toEqual(started.processes.map(() => CLEAN));
      expect((await waiting).rcpts).toEqual([expect.stringMatching(/^4\d\d /)]);
      expect(await unfinished(journey.databaseUrl)).toEqual({ due: 3, leased: 0, sessions: 0 });
      expect(journey.sink.messages).toEqual([]);

      isSilent = false;
      const again = await journey.start(shape);
      const messages = await journey.sink.received(2);
      expect(await again.stop()).toEqual(again.processes.map(() => 0));
      expect(messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual([
        'app@far.example',
        'stored@far.example',
      ]);
    },
  );

  it.concurrent.for(shapes)('ends at once when a second signal comes: %s', async (shape, context) => {
    const { expect } = context;
    const journey = await Journey.open(context, { far: (stage) => (stage === 'rcpt' ? 'hang' : undefined) });
    const { router, gateway } = await journey.start(shape);
    expect((await sendSmtp(context, { port: journey.ports.msa, rcpts: ['b@far.example'] })).data).toMatch(/^250 /);
    for (const each of new Set([router, gateway])) {
      each.kill('SIGTERM');
      await each.until('stopping');
      each.kill('SIGTERM');
      expect(await each.exited).toEqual({ code: 1, signal: null });
    }
    // As after a crash, what was promised is still there.
    expect(await unfinished(journey.databaseUrl)).toMatchObject({ leased: 1 });
  });
});
