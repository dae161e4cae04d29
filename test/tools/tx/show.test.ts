/** What `koukan tx show` says of an attempt: above all whether its message went out, and when. */
import { describe, expect, it } from 'vitest';
import { historySchema } from '../../../src/lib/http/queue-schema.ts';
import { historyText } from '../../../src/lib/tools/tx/show.ts';

/** The lines about the message of an attempt like this. */
function dataLines(attempt: object): readonly string[] {
  const at = '2026-01-02T03:04:05.006Z';
  const history = historySchema.parse({
    id: 'abc',
    uri: 'http://127.0.0.1:8000/transactions/abc',
    sender: 'app',
    state: 'uncertain',
    attempts: 1,
    rcpt_to: ['bob@example.org'],
    created_at: at,
    origin: {},
    envelope: { rcpt_to: [{ m: 'bob@example.org' }] },
    retry: true,
    notification: false,
    cancelled: false,
    blobs: [],
    signals: {},
    policies: [],
    children: [],
    attempt_list: [{ number: 1, started_at: at, hosts: [], ...attempt }],
  });
  return historyText(history)
    .split('\n')
    .filter((line) => line.includes('DATA'));
}

describe('the message of an attempt', () => {
  const dot_sent_at = '2026-01-02T03:04:06.007Z';
  const data_response = { code: 250, message: '2.0.0 taken' };

  it.each([
    ['that went out and was not answered', { dot_sent_at }, ['       DATA  sent 2026-01-02 03:04:06Z, no answer']],
    [
      'that went out and was answered',
      { dot_sent_at, data_response },
      ['       DATA  sent 2026-01-02 03:04:06Z, then 250 2.0.0 taken'],
    ],
    ['that was answered, and nobody noted when it went out', { data_response }, ['       DATA  250 2.0.0 taken']],
    ['that never went out', {}, []],
  ])('%s', (_, attempt, lines) => {
    expect(dataLines(attempt)).toEqual(lines);
  });
});
