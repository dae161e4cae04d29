/**
 * A store with a past: as many finished and deferred transactions as one likes. The product makes one of each kind, which is then copied in the database
 * with new ids, addresses and times, so that the rows are what the product leaves behind, whatever its schema is.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { senderAddress } from './message.mjs';
import { copyTransaction } from './prefill/copies.mjs';
import { openTables } from './prefill/tables.mjs';

const LOOK_AGAIN_MS = 50;
const TRIES = 600;
const CREATED = 201;
const LINES = 6;

const kinds = {
  finished: { sender: {}, where: 'final_outcome is not null' },
  deferred: { sender: { tag: 'nowhere' }, where: 'next_attempt_at is not null' },
};

/** `counts`: how many of each kind. The daemons are stopped before and after. */
export async function prefill({ database, daemons, rest }, counts) {
  await daemons.start();
  const tables = await openTables(database.url);
  try {
    const originals = {};
    for (const name of Object.keys(kinds)) originals[name] = await makeOne(name, rest, tables);
    await daemons.stop();
    for (const [name, count] of Object.entries(counts)) {
      process.stderr.write(`prefill       ${count} ${name} transactions\n`);
      await copyTransaction(tables, originals[name], count);
    }
    await tables.settle();
  } finally {
    await tables.close();
  }
}

/** The id of a transaction of that kind that the product has made. */
async function makeOne(name, rest, tables) {
  const { sender, where } = kinds[name];
  const response = await fetch(`http://${rest.host}:${rest.ports[0]}${rest.path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      sender,
      mail_from: { m: senderAddress },
      rcpt_to: [{ m: `${name}@aged.example` }],
      body: { inline: textOf(name) },
    }),
  });
  if (response.status !== CREATED) throw new Error(`prefill: ${response.status} ${await response.text()}`);
  for (let i = 0; i < TRIES; i += 1) {
    const rows = await tables.all(
      `select id from transactions where rcpt_address = '${name}@aged.example' and ${where}`,
    );
    if (rows.length > 0) return rows[0].id;
    await sleep(LOOK_AGAIN_MS);
  }
  throw new Error(`prefill: no ${name} transaction came about`);
}

const textOf = (name) =>
  [
    `From: <${senderAddress}>`,
    `To: <${name}@aged.example>`,
    'Subject: long ago',
    '',
    ...Array(LINES).fill('x'.repeat(76)),
    '',
  ].join('\r\n');
