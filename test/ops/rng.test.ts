/** Random bytes, which ids are made of. */
import { describe, expect, it } from 'vitest';
import { systemRng } from '../../src/lib/ops/rng.ts';

describe('random bytes', () => {
  it.each([0, 1, 16, 63, 64, 65, 4096, 5000])('are as many as were asked for: %i', (size) => {
    expect(systemRng.bytes(size)).toHaveLength(size);
  });

  it('are never given out twice, also when a pool of them is used up in between', () => {
    const ids = Array.from({ length: 5000 }, (_, i) => systemRng.bytes(9 + (i % 24)));
    expect(new Set(ids.map((id) => id.toString('hex'))).size).toBe(ids.length);
    const firstBytes = ids.map((id) => id.readBigUInt64BE(0));
    expect(new Set(firstBytes).size).toBe(ids.length);
  });

  it('stay what they were while others are drawn', () => {
    const kept = systemRng.bytes(32);
    const before = kept.toString('hex');
    for (let i = 0; i < 1000; i += 1) systemRng.bytes(32);
    expect(kept.toString('hex')).toBe(before);
  });
});
