/** What a long load says at its end: whether memory and store are flat, whether the last minutes are as fast as the first, and the aged process as a fresh one. */
import { describe, expect, it } from 'vitest';

interface Piece {
  readonly pace?: number;
}

interface Run {
  readonly delivered_per_s: number;
  readonly peak_rss_mb?: number;
  readonly other_cpu_cores?: number;
  readonly delivered: number;
  readonly store_mb?: number;
  readonly bodies_stored?: number;
  readonly bodies_collected?: number;
}

type Verdict = Readonly<Record<string, unknown>>;

interface Soak {
  piecesOf(minutes: number, pace?: number): readonly Piece[];
  garbageOf(seconds: number): Readonly<Record<string, number>>;
  verdictOf(pieces: readonly Piece[], runs: readonly Run[]): Verdict;
  faultsOf(verdict: Verdict): readonly string[];
  describeVerdict(name: string, verdict: Verdict): string;
}

const { piecesOf, garbageOf, verdictOf, faultsOf, describeVerdict }: Soak = await import(
  new URL('../../bench/soak.mjs', import.meta.url).href
);

interface Burst {
  readonly delivered_per_s: number;
  readonly cpu_us_per_message?: number;
  readonly other_cpu_cores?: number;
  readonly lost?: number;
}

interface Bursts {
  burstsVerdictOf(runs: { readonly aged: readonly Burst[]; readonly fresh: readonly Burst[] }): Verdict;
  burstFaultsOf(verdict: Verdict): readonly string[];
  describeBursts(name: string, verdict: Verdict): string;
}

const { burstsVerdictOf, burstFaultsOf, describeBursts }: Bursts = await import(
  new URL('../../bench/bursts.mjs', import.meta.url).href
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

describe('the store', () => {
  /** 830 MB of what is kept for a minute; a little more when the collector has just not been there. */
  const kept = (minute: number): Partial<Run> => ({
    store_mb: 830 + 20 * (minute % 5),
    bodies_stored: 7200 * minute,
    bodies_collected: 7200 * (minute - 1),
  });

  it('is flat when what is delivered is collected, however much lies there after minutes at full speed', () => {
    const verdict = hour((minute) => ({ ...kept(minute), ...(minute < 4 ? { store_mb: 25_000 } : {}) }));
    expect(verdict).toMatchObject({ is_disk_flat: true, early_store_mb_range: [830, 910] });
    expect(verdict).toMatchObject({ bodies_stored: 432_000, bodies_collected: 424_800 });
    expect(faultsOf(verdict)).toEqual([]);
    expect(describeVerdict('stored-serve', verdict)).toContain(', 432000 bodies stored, 424800 of them collected; ');
  });

  it('is not flat when it is collected more slowly than it comes', () => {
    const verdict = hour((minute) => ({ ...kept(minute), store_mb: 830 + 10 * minute }));
    expect(verdict).toMatchObject({ is_disk_flat: false });
    expect(faultsOf(verdict)).toEqual([expect.stringMatching(/^the store grew to 1\.\d+ of what it was$/)]);
    expect(describeVerdict('stored-serve', verdict)).toMatch(/store GREW: \d+ MB \(.*\) in minutes 18–30, \d+ MB /);
  });

  it('has no verdict where it is not measured', () => {
    const verdict = hour();
    expect(verdict.is_disk_flat).toBeUndefined();
    expect(describeVerdict('relay', verdict)).toContain('; store not measured; ');
  });

  it('keeps what has ended for a minute, and for no longer than a run takes', () => {
    expect(garbageOf(600)).toEqual({ gc_ttl: 60, gc_interval: 10 });
    expect(garbageOf(6)).toEqual({ gc_ttl: 6, gc_interval: 1 });
  });
});

describe('bursts after a long load', () => {
  const burst = (rate: number, more: Partial<Burst> = {}): Burst => ({
    delivered_per_s: rate,
    cpu_us_per_message: 400_000 / rate,
    other_cpu_cores: 0.01,
    ...more,
  });
  const fresh = [burst(2100), burst(1900)];

  it('compare the aged process with a fresh one, by the means of their rates and of their CPU', () => {
    const verdict = burstsVerdictOf({ aged: [burst(1960), burst(2000)], fresh });
    expect(verdict).toMatchObject({ aged_per_s: 1980, fresh_per_s: 2000, aged_to_fresh: 0.99, is_as_fast: true });
    expect(verdict).toMatchObject({ aged_cpu_us: 202, fresh_cpu_us: 200.5, faults: 0 });
    expect(burstFaultsOf(verdict)).toEqual([]);
    expect(describeBursts('stored-serve', verdict)).toMatch(
      /^stored-serve bursts: 1980\/s aged, 2000\/s fresh \(0\.99 x\); CPU 202 us and 200\.5 us \(1\.00\d x\); 0 faults$/,
    );
  });

  it('find fault with one that is slower by more than a tenth', () => {
    const verdict = burstsVerdictOf({ aged: [burst(1700), burst(1800)], fresh });
    expect(burstFaultsOf(verdict)).toEqual(['the aged process is 0.875 times as fast as a fresh one']);
  });

  it('say nothing of rates when something else used the machine, and find each message that is not right', () => {
    const verdict = burstsVerdictOf({ aged: [burst(1000, { other_cpu_cores: 1, lost: 2 }), burst(1000)], fresh });
    expect(verdict.is_as_fast).toBeUndefined();
    expect(describeBursts('stored-serve', verdict)).toContain('; something else used the machine; 2 faults');
    expect(burstFaultsOf(verdict)).toEqual([expect.stringMatching(/^2 messages of the bursts were lost, /)]);
  });

  it('compare rates alone where CPU cannot be measured', () => {
    const blind = [{ delivered_per_s: 1000 }];
    const verdict = burstsVerdictOf({ aged: blind, fresh: blind });
    expect(verdict.aged_to_fresh_cpu).toBeUndefined();
    expect(describeBursts('relay-serve', verdict)).toContain('(1 x); something else used the machine');
  });
});
