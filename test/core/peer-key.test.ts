/** Under which name a peer is counted: the same for every spelling of its address. */
import { describe, expect, it } from 'vitest';
import { KeyedGate } from '../../src/lib/core/keyed-gate.ts';
import { peerKey } from '../../src/lib/core/peer-key.ts';

describe('a peer', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:192.0.2.1', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:0DB8:0000:0000:ffff::1', '2001:db8:0:0::/64'],
    ['2001:db8:0:1::', '2001:db8:0:1::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['', ''],
  ])('at %s is counted as %s', (address, key) => {
    expect(peerKey(address)).toBe(key);
  });
});

describe('places by key', () => {
  it('are bounded for each key by itself, and free again when they are left', () => {
    const gate = new KeyedGate(2);
    expect([gate.tryEnter('a'), gate.tryEnter('a'), gate.tryEnter('a'), gate.tryEnter('b')]).toEqual([
      true,
      true,
      false,
      true,
    ]);
    gate.leave('a');
    expect([gate.tryEnter('a'), gate.tryEnter('a')]).toEqual([true, false]);
  });

  it('can be fewer or more for a key of its own', () => {
    const gate = new KeyedGate(1);
    expect([gate.tryEnter('a', 2), gate.tryEnter('a', 2), gate.tryEnter('a', 2)]).toEqual([true, true, false]);
  });
});
