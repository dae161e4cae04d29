/** One REST client of the generator: create after create with the message inline, over one connection that is kept. */
import { Client } from 'undici';
import { recipientOf, senderAddress } from './message.mjs';

/** Sends what `job.next()` gives until it gives nothing; reports each message to `job`. Never rejects. */
export async function runRestSession(job) {
  const client = new Client(`http://${job.host}:${job.port}`);
  for (let number = job.next(); number !== undefined; number = job.next()) {
    const { kind } = job;
    const body = JSON.stringify({
      mail_from: { m: senderAddress },
      rcpt_to: [{ m: recipientOf(kind.runId, number) }],
      body: { inline: kind.text(number) },
    });
    job.started(number);
    const status = await create(client, job.path, body);
    if (status === 201) job.accepted(number);
    else job.refused(number, 'create', status);
  }
  await client.close();
}

/** The status; 0 when there was none. */
async function create(client, path, body) {
  try {
    const { statusCode, body: answer } = await client.request({
      method: 'POST',
      path,
      headers: { 'content-type': 'application/json' },
      body,
    });
    await answer.dump();
    return statusCode;
  } catch {
    return 0;
  }
}
