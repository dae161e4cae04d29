/** More than there is room for: who floods is bounded, everybody else gets through, and what was taken is delivered in the end. */
import { readFile, writeFile } from 'node:fs/promises';
import { describe, it } from 'vitest';
import { HoldingFarEnd } from '../helpers/holding-far-end.ts';
import { Journey, shapes } from '../helpers/journey.ts';
import { NOTHING_LEFT, unfinished } from '../helpers/journey-database.ts';
import { createRest, MESSAGE, sendSmtp } from '../helpers/journey-mail.ts';

/** Attempts at the same time, and those of them that a sender's mail to one domain leaves to others. */
const PLACES = 40;
const KEPT = 13;
const REST_CLIENTS = 200;
const SMTP_CLIENTS = 500;

async function refused(url: string, door: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const counts = [...text.matchAll(/^koukan_refused_total\{([^}]*)\} (\d+)$/gm)];
  return counts.reduce((sum, [, labels, value]) => sum + (labels?.includes(`door="${door}"`) ? Number(value) : 0), 0);
}

describe('a flood towards a destination that does not answer', () => {
  it.for(shapes)(
    'leaves room for other senders, and is delivered when it can be: %s',
    { timeout: 120_000 },
    async (shape, context) => {
      const { expect } = context;
      const journey = await Journey.open(context, { farIsClosed: true });
      const text = await readFile(journey.routerFile, 'utf8');
      const executor = `global:\n  executor: {output: {max_inflight: ${PLACES}}}\n`;
      await writeFile(journey.routerFile, text.replace('global:\n', executor));
      const far = await HoldingFarEnd.open(context, journey.ports.far);
      const started = await journey.start(shape);
      const { mx, msa } = journey.ports;
      const app = { url: journey.routerUrl, message: MESSAGE };

      // Everything is taken: what has no place waits in the store.
      const floods = Array.from({ length: REST_CLIENTS }, (_, i) => `flood${i}@far.example`);
      const created = await Promise.all(floods.map((rcpt) => createRest({ ...app, rcpt })));
      expect(new Set(created.map(({ status }) => status))).toEqual(new Set([201]));
      await expect.poll(() => far.held, { timeout: 20_000 }).toBe(PLACES - KEPT);

      // Others are served as if nothing were the matter.
      for (let i = 0; i < 5; i += 1) {
        expect((await sendSmtp(context, { port: mx, rcpts: [`mx${i}@far.example`] })).data).toMatch(/^250 2\.0\.0 /);
        expect((await sendSmtp(context, { port: msa, rcpts: [`user${i}@far.example`] })).data).toMatch(/^250 2\.0\.0 /);
        expect(await createRest({ ...app, sender: 'bounces', rcpt: `other${i}@far.example` })).toMatchObject({
          status: 201,
        });
      }
      const others = Array.from({ length: 5 }, (_, i) => [
        `mx${i}@far.example`,
        `user${i}@far.example`,
        `other${i}@far.example`,
      ]);
      await expect.poll(() => far.received).toEqual(expect.arrayContaining(others.flat()));
      expect(far.held).toBe(PLACES - KEPT);

      // A second flood takes what is left; the rest of it is told so.
      const clients = Array.from({ length: SMTP_CLIENTS }, (_, i) =>
        sendSmtp(context, { port: mx, rcpts: [`flood-mx${i}@far.example`] }),
      );
      const late = clients.map((client) => client.then(({ rcpts }) => rcpts?.[0] ?? 'none'));
      const answers: string[] = [];
      for (const each of late) void each.then((answer) => answers.push(answer));
      await expect.poll(() => answers.length, { timeout: 60_000 }).toBe(SMTP_CLIENTS - KEPT);
      expect(new Set(answers.map((answer) => answer.slice(0, 9)))).toEqual(new Set(['451 4.3.2']));
      // Who has a place may not have come so far.
      await expect.poll(() => far.held, { timeout: 60_000 }).toBe(PLACES);
      expect(await refused(journey.routerUrl, 'rcpt')).toBe(SMTP_CLIENTS - KEPT);
      // Submission has a store to fall back on.
      expect((await sendSmtp(context, { port: msa, rcpts: ['parked@far.example'] })).data).toMatch(/^250 2\.6\.0 /);

      far.release();
      expect((await Promise.all(clients)).filter(({ data }) => data?.startsWith('250'))).toHaveLength(KEPT);
      const all = [...floods, ...others.flat(), 'parked@far.example'];
      await expect.poll(() => far.received, { timeout: 60_000 }).toEqual(expect.arrayContaining(all));
      expect((await sendSmtp(context, { port: mx, rcpts: ['flood-again@far.example'] })).data).toMatch(/^250 /);
      expect(await started.stop()).toEqual(started.processes.map(() => 0));
      expect(far.received).toHaveLength(all.length + KEPT + 1);
      expect(await unfinished(journey.databaseUrl)).toEqual(NOTHING_LEFT);
    },
  );
});
