import { describe, expect, it } from 'vitest';
import type { History, Window } from '../../src/client/records.ts';
import { Figures, FirstLight, firstBy, roundBelow } from '../../src/panels/moments.ts';

const since = '2026-11-27T00:00:00.000Z';
const window = (orders: number, total: number, more: Partial<Window> = {}) =>
  ({ orders, sales: orders * 100, currency: 'USD', total: { since, orders: total, sales: total * 100 }, ...more }) as unknown as Window;
const history = (peak: number, minutes: number) =>
  ({ orders: Array.from({ length: 60 }, (_, i) => (i >= 60 - minutes ? 5 : 0)), peak: { orders: { value: peak }, sales: { value: Infinity } } }) as unknown as History;

describe('milestones', () => {
  it('are 1, 2 and 5 times a power of ten', () => {
    expect([999, 1_000, 1_999, 2_000, 4_999, 5_000, 9_999, 10_000].map((n) => roundBelow(n, 1_000))).toEqual([0, 1_000, 1_000, 2_000, 2_000, 5_000, 5_000, 10_000]);
    expect(roundBelow(NaN, 1)).toBe(0);
  });

  it('are told when they are passed, not when the page is opened behind them', () => {
    const figures = new Figures();
    expect(figures.take(window(1, 2_500), undefined, 0)).toEqual([]);
    expect(figures.take(window(1, 4_999), undefined, 0)).toEqual([]);
    expect(figures.take(window(1, 5_001), undefined, 0)).toEqual([{ kind: 'milestone', figure: 'orders', value: 5_000, currency: 'USD', since }]);
    expect(figures.take(window(1, 5_002), undefined, 0)).toEqual([]);
  });

  it('are not told when the totals began anew', () => {
    const figures = new Figures();
    figures.take(window(1, 900), undefined, 0);
    expect(figures.take(window(1, 1_100, { total: { since: '2026-11-28T00:00:00.000Z', orders: 1_100, sales: 1, distance_m: 0, carbon_g: 0 } }), undefined, 0)).toEqual([]);
  });
});

describe('records', () => {
  it('need ten minutes behind them, and are told ten minutes apart', () => {
    const figures = new Figures();
    figures.take(window(50, 1), history(60, 9), 0);
    expect(figures.take(window(61, 1), history(60, 9), 1_000)).toEqual([]);
    figures.take(window(50, 1), history(60, 10), 2_000);
    expect(figures.take(window(61, 1), history(60, 10), 3_000)).toEqual([{ kind: 'record', figure: 'orders', value: 61, currency: 'USD' }]);
    expect(figures.take(window(62, 1), history(60, 10), 4_000)).toEqual([]); // the same one
    figures.take(window(50, 1), history(62, 10), 5_000);
    expect(figures.take(window(63, 1), history(62, 10), 6_000)).toEqual([]); // too soon
    figures.take(window(50, 1), history(63, 10), 700_000);
    expect(figures.take(window(64, 1), history(63, 10), 701_000)).toHaveLength(1);
  });
});

describe('first orders of a day', () => {
  it('are asked about by a page that was not there since midnight', () => {
    const light = new FirstLight();
    expect(light.arrive('IS', '2026-11-27')).toBe('ask');
    expect(light.arrive('IS', '2026-11-27')).toBe('seen');
  });

  it('are known to a page that was, unless it missed something', () => {
    const light = new FirstLight();
    light.arrive('IS', '2026-11-27');
    expect(light.arrive('IS', '2026-11-28')).toBe('first');
    light.missed();
    expect(light.arrive('NO', '2026-11-28')).toBe('ask');
    expect(light.arrive('NO', '2026-11-29')).toBe('first');
  });

  it('are what the totals say: all of them lie in this minute', () => {
    const midnight = Date.parse(since);
    expect(firstBy('IS', window(2, 2), midnight)).toEqual({ kind: 'first', country: 'IS' });
    expect(firstBy('IS', window(2, 3), midnight)).toBeUndefined();
    expect(firstBy('IS', window(0, 0), midnight)).toBeUndefined();
    expect(firstBy('IS', window(2, 2), midnight - 1)).toEqual({ kind: 'first', country: 'IS', since });
  });
});
