/** What a long load says at its end: whether memory is flat, and whether the last minutes are as fast as the first. */
import { describe, expect, it } from 'vitest';

interface Piece {
  readonly pace?: number;
}

interface Run {
  readonly delivered_per_s: number;
  readonly peak_rss_mb?: number;
  readonly other_cpu_cores?: number;
  readonly delivered: number;
}

type Verdict = Readonly<Record<string, unknown>>;

interface Soak {
  piecesOf(minutes: number, pace?: number): readonly Piece[];
  verdictOf(pieces: readonly Piece[], runs: readonly Run[]): Verdict;
  faultsOf(verdict: Verdict): readonly string[];
  describeVerdict(name: string, verdict: Verdict): string;
}

const { piecesOf, verdictOf, faultsOf, describeVerdict }: Soak = await import(
  new URL('../../bench/soak.mjs', import.meta.url).href
);

const HOUR = 60;

/** What a heap that is cleaned every ten minutes looks like. */
const saw = (minute: number): number => 180 + 5 * (minute % 10);

/** An hour with a pace; what it says can be changed by the minute, which counts from 1. */
function hour(change: (minute: number) => Partial<Run> = () => ({})): Verdict {
  const pieces = piecesOf(HOUR, 100);
  const runs = pieces.map(({ pace }, i) => ({
    delivered_per_s: pace ?? 3000,
    peak_rss_mb: saw(i + 1),
    other_cpu_cores: 0.01,
    delivered: 6000,
    ...change(i + 1),
  }));
  return verdictOf(pieces, runs);
}

describe('memory', () => {
  it('is flat when it rises and falls again, and rises', () => {
    const verdict = hour();
    expect(verdict).toMatchObject({ is_flat: true, memory_from_minute: 5, memory_to_minute: 58, delivered: 360_000 });
    expect(verdict).toMatchObject({ early_minutes: [18, 30], late_minutes: [46, 58], early_rss_mb_range: [180, 225] });
    expect(faultsOf(verdict)).toEqual([]);
    expect(describeVerdict('stored-serve', verdict)).toMatch(
      /memory flat: \d+ MB \(180–225\) in minutes 18–30, \d+ MB /,
    );
  });

  it('is flat when the one minute that was compared before is at the foot of the saw, and the other at its top', () => {
    const verdict = hour((minute) => ({ peak_rss_mb: minute === 5 ? 160 : minute === 58 ? 240 : saw(minute) }));
    expect(verdict).toMatchObject({ is_flat: true });
  });

  it('is flat when pools fill in the first quarter', () => {
    expect(hour((minute) => ({ peak_rss_mb: saw(minute) + Math.min(50, 3 * minute) }))).toMatchObject({
      is_flat: true,
    });
  });

  it('is not flat when a message leaves a hundred bytes behind', () => {
    // 360 000 messages, of which V8 doubles what stays.
    const verdict = hour((minute) => ({ peak_rss_mb: saw(minute) + 1.2 * minute }));
    expect(verdict).toMatchObject({ is_flat: false });
    expect(faultsOf(verdict)).toEqual([expect.stringMatching(/^memory grew to 1\.\d+ of what it was$/)]);
    expect(describeVerdict('stored-serve', verdict)).toContain('memory GREW: ');
  });

  it('has no verdict after a few minutes, nor where it cannot be measured', () => {
    const pieces = piecesOf(12);
    const run = { delivered_per_s: 100, delivered: 6000 };
    const short = verdictOf(
      pieces,
      pieces.map((_, i) => ({ ...run, peak_rss_mb: 100 + 50 * i })),
    );
    expect(short.is_flat).toBeUndefined();
    expect(describeVerdict('rest-serve', short)).toContain('memory: too short to say, slope 3000 MB/h');
    const blind = verdictOf(
      pieces,
      pieces.map(() => run),
    );
    expect(describeVerdict('rest-serve', blind)).toContain('memory not measured');
    expect([...faultsOf(short), ...faultsOf(blind)]).toEqual([]);
  });
});

describe('the rate', () => {
  it('of the last two minutes is compared with that of the first two', () => {
    expect(hour((minute) => (minute > 58 ? { delivered_per_s: 2900 } : {}))).toMatchObject({ is_as_fast: true });
    const slow = hour((minute) => (minute > 58 ? { delivered_per_s: 2400 } : {}));
    expect(slow).toMatchObject({ is_as_fast: false });
    expect(faultsOf(slow)).toEqual(['the rate fell to 0.8 of what it was']);
  });

  it('says nothing when something else used the machine in one of them', () => {
    const verdict = hour((minute) => (minute > 58 ? { delivered_per_s: 1500, other_cpu_cores: 1.2 } : {}));
    expect(verdict).toMatchObject({ last_to_first: 0.5 });
    expect(verdict.is_as_fast).toBeUndefined();
    expect(faultsOf(verdict)).toEqual([]);
  });
});
