/** A destination, or the router itself, is away: who can wait hears so at once, who cannot is taken care of, and all goes on by itself. */
import { describe, it } from 'vitest';
import { Journey, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, MESSAGE, sendSmtp } from '../helpers/journey-mail.ts';

describe('a destination that refuses connections', () => {
  it.concurrent.for(shapes)(
    'is told to mail servers at once; users and applications may forget it: %s',
    async (shape, context) => {
      const { expect } = context;
      const journey = await Journey.open(context, { farIsClosed: true });
      const started = await journey.start(shape);
      const { mx, msa } = journey.ports;
      const before = performance.now();
      const ingress = await sendSmtp(context, { port: mx, rcpts: ['mx@far.example'] });
      expect(ingress).toEqual({
        mail: expect.stringMatching(/^250 /),
        rcpts: [expect.stringMatching(/^4\d\d 4\.4\.1 /)],
      });
      expect(performance.now() - before).toBeLessThan(5000);
      const user = await sendSmtp(context, { port: msa, rcpts: ['user@far.example', 'other@far.example'] });
      expect(user.data).toMatch(/^250 2\.6\.0 /);
      const app = { url: journey.routerUrl, rcpt: 'app@far.example', message: MESSAGE };
      expect(await createRest(app)).toMatchObject({ status: 201 });

      await journey.openFarEnd();
      const messages = await journey.sink.received(3);
      const again = await sendSmtp(context, { port: mx, rcpts: ['mx@far.example'] });
      expect(again.data).toMatch(/^250 /);
      expect(await started.stop()).toEqual(started.processes.map(() => 0));
      expect(messages.map(({ rcptTo }) => rcptTo[0]?.address).toSorted()).toEqual(
        ['app', 'mx', 'other', 'user'].map((user) => `${user}@far.example`),
      );
      expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    },
  );
});

describe('a destination that accepts connections and says nothing', () => {
  it.concurrent.for(shapes)('is given the time that the configuration says: %s', async (shape, context) => {
    const { expect } = context;
    let isSilent = true;
    const journey = await Journey.open(context, {
      times: { mxRcpt: 1, msaRcpt: 1 },
      far: (stage) => (isSilent && stage === 'connect' ? 'hang' : undefined),
    });
    await journey.start(shape);
    const { mx, msa } = journey.ports;
    const ingress = await sendSmtp(context, { port: mx, rcpts: ['mx@far.example'] });
    expect(ingress.rcpts).toEqual(['450 4.4.7 upstream timeout']);
    expect((await sendSmtp(context, { port: msa, rcpts: ['user@far.example'] })).data).toMatch(/^250 2\.6\.0 /);
    isSilent = false;
    expect((await sendSmtp(context, { port: mx, rcpts: ['mx@far.example'] })).data).toMatch(/^250 /);
    expect(journey.sink.messages.map(({ rcptTo }) => rcptTo[0]?.address)).toEqual(['mx@far.example']);
  });
});

describe('a gateway without its router', () => {
  it.concurrent('refuses for now, and goes on when the router is there', async (context) => {
    const { expect } = context;
    const journey = await Journey.open(context);
    await journey.gateway();
    const send = () => sendSmtp(context, { port: journey.ports.mx, rcpts: ['b@far.example'] });
    expect(await send()).toEqual({ mail: expect.stringMatching(/^4\d\d 4\.4\.1 /) });
    const first = await journey.router();
    expect((await send()).data).toMatch(/^250 /);
    await first.crash();
    expect(await send()).toEqual({ mail: expect.stringMatching(/^4\d\d 4\.4\.1 /) });
    const second = await journey.router();
    expect((await send()).data).toMatch(/^250 /);
    second.kill('SIGSTOP');
    expect(await send()).toEqual({ mail: '450 4.4.7 MAIL upstream timeout' });
    second.kill('SIGCONT');
    expect((await send()).data).toMatch(/^250 /);
    expect(journey.sink.messages).toHaveLength(3);
  });
});
