/** What a collector reads of what was counted. */
import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/lib/ops/metrics.ts';

/** The lines of one metric, without those about it. */
async function linesOf(metrics: Awaited<ReturnType<typeof createMetrics>>, name: string): Promise<readonly string[]> {
  const { text } = await metrics.text();
  return text.split('\n').filter((line) => line.startsWith(name));
}

describe('a histogram', () => {
  it('shows for each bucket what is not larger, and the sum and number of all', async () => {
    const metrics = await createMetrics();
    const waits = metrics.histogram('t_wait_seconds', 'Waits.', ['kind'], [0.1, 1, 5]);
    for (const value of [0.05, 0.1, 0.5, 5, 7]) waits.with('long').observe(value);
    waits.with('short').observe(2);
    expect(await linesOf(metrics, 't_wait_seconds')).toEqual([
      't_wait_seconds_bucket{le="0.1",kind="long"} 2',
      't_wait_seconds_bucket{le="1",kind="long"} 3',
      't_wait_seconds_bucket{le="5",kind="long"} 4',
      't_wait_seconds_bucket{le="+Inf",kind="long"} 5',
      't_wait_seconds_sum{kind="long"} 12.65',
      't_wait_seconds_count{kind="long"} 5',
      't_wait_seconds_bucket{le="0.1",kind="short"} 0',
      't_wait_seconds_bucket{le="1",kind="short"} 0',
      't_wait_seconds_bucket{le="5",kind="short"} 1',
      't_wait_seconds_bucket{le="+Inf",kind="short"} 1',
      't_wait_seconds_sum{kind="short"} 2',
      't_wait_seconds_count{kind="short"} 1',
    ]);
    expect((await metrics.text()).text).toContain('# HELP t_wait_seconds Waits.\n# TYPE t_wait_seconds histogram\n');
  });

  it('without labels is there before anything was counted', async () => {
    const metrics = await createMetrics();
    metrics.histogram('t_size', 'Sizes.', [], [1]);
    expect(await linesOf(metrics, 't_size')).toEqual([
      't_size_bucket{le="1"} 0',
      't_size_bucket{le="+Inf"} 0',
      't_size_sum 0',
      't_size_count 0',
    ]);
  });
});

describe('a counter', () => {
  it('keeps the series of each combination of labels apart', async () => {
    const metrics = await createMetrics();
    const sent = metrics.counter('t_sent_total', 'Sent.', ['to', 'how']);
    sent.with('a', 'b').inc();
    sent.with('a', 'c').inc(2);
    sent.with('a', 'b').inc();
    expect(await linesOf(metrics, 't_sent_total')).toEqual([
      't_sent_total{to="a",how="b"} 2',
      't_sent_total{to="a",how="c"} 2',
    ]);
  });
});
