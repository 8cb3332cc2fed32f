import { describe, expect, it } from 'vitest';
import { ArcRing, LIFE_MS, packPlace, toneOf, unpackPlace, WORDS } from '../../src/globe/ring.ts';

const BOUNDS = [2_000_000, 8_000_000] as const;

const fly = (ring: ArcRing, now: number, n = 1) => ring.add(43.65, -79.38, 51.5, -0.12, n, now, now);

describe('ring of arcs', () => {
  it('holds 16 bytes an order, and what it was given', () => {
    const ring = new ArcRing(4, BOUNDS);
    expect(ring.words.byteLength).toBe(4 * 16);
    expect(ring.add(43.65, -79.38, 51.5, -0.12, 300, 1_234, 1_000)).toBe(true);
    const [from, to, start, rest] = ring.words;
    expect((from! >>> 16) / 65_535 * 180 - 90).toBeCloseTo(43.65, 2);
    expect(((to! & 65_535) / 65_535) * 360 - 180).toBeCloseTo(-0.12, 2);
    expect(start).toBe(1_234);
    expect(rest! & 65_535).toBe(300);
    expect(rest! >>> 16).toBe(1); // 5,700 km
  });

  it('refuses rather than cut off an arc in the air, and goes on when it has landed', () => {
    const ring = new ArcRing(3, BOUNDS);
    expect([0, 1, 2, 3].map((i) => fly(ring, 10 + i))).toEqual([true, true, true, false]);
    expect(ring.inFlight(20)).toBe(3);
    expect(fly(ring, 10 + LIFE_MS)).toBe(true);
    expect(fly(ring, 10 + LIFE_MS)).toBe(false);
  });

  it('uses no more slots than its limit', () => {
    const ring = new ArcRing(10, BOUNDS);
    ring.limit = 2;
    expect([1, 2, 3].map((t) => fly(ring, t))).toEqual([true, true, false]);
    ring.limit = 99;
    expect(ring.limit).toBe(10);
  });

  it('names the slots that changed, once', () => {
    const ring = new ArcRing(8, BOUNDS);
    const sent: [number, number][] = [];
    const take = () => ring.takeDirty((from, count) => void sent.push([from, count]));
    fly(ring, 1);
    fly(ring, 1);
    take();
    take();
    fly(ring, 1);
    take();
    expect(sent).toEqual([[0, 2], [2, 1]]);
  });

  it('keeps its buffer when it goes round', () => {
    const ring = new ArcRing(2, BOUNDS);
    const { words } = ring;
    for (let i = 0; i < 10; i++) fly(ring, 1 + i * LIFE_MS);
    expect(ring.words).toBe(words);
    expect(words.length).toBe(2 * WORDS);
  });

  it('goes round a slot that is held, and tells what each slot shows', () => {
    const ring = new ArcRing<string>(3, BOUNDS);
    ['a', 'b', 'c'].forEach((what) => ring.add(0, 0, 10, 10, 1, 1, 1, what));
    ring.hold(1);
    for (const what of ['d', 'e', 'f', 'g']) expect(ring.add(0, 0, 10, 10, 1, 1 + LIFE_MS, 1 + LIFE_MS, what)).toBe(what < 'f');
    expect(ring.shown).toEqual(['d', 'b', 'e']);
    expect(ring.progress(1, 1 + LIFE_MS)).toBeUndefined();
    expect(ring.progress(0, 1 + LIFE_MS)).toBe(0);
  });

  it('unpacks what it packed', () => {
    const [lat, lon] = unpackPlace(packPlace(-33.87, 151.21));
    expect(lat).toBeCloseTo(-33.87, 2);
    expect(lon).toBeCloseTo(151.21, 2);
  });

  it('packs places off the globe to its edge', () => {
    expect(packPlace(95, 0) >>> 16).toBe(65_535);
    expect(packPlace(0, 540) & 65_535).toBe(packPlace(0, 180) & 65_535);
  });

  it('has three tones by distance', () => {
    expect([0, 1_999_999, 2_000_000, 7_999_999, 8_000_000].map((metres) => toneOf(metres, BOUNDS))).toEqual([0, 0, 1, 1, 2]);
  });
});
