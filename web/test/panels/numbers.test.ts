import { describe, expect, it } from 'vitest';
import { Sampling } from '../../src/panels/sampling.ts';
import { lastHour, sparkPaths } from '../../src/panels/spark.ts';
import { Tween } from '../../src/panels/tween.ts';
import type { History } from '../../src/client/records.ts';

describe('tween', () => {
  it('takes as long as values take to come, and arrives exactly', () => {
    const tween = new Tween(100);
    tween.to(200, 1_000);
    expect(tween.at(1_500)).toBe(150);
    expect(tween.at(2_000)).toBe(200);
    tween.to(300, 1_500); // half a second after: from where it is, in half a second
    expect(tween.at(1_500)).toBe(150);
    expect(tween.at(1_750)).toBe(225);
    expect(tween.at(2_000)).toBe(300);
    expect(tween.done(2_000)).toBe(true);
  });

  it('never runs past its goal', () => {
    const tween = new Tween(0);
    tween.to(7, 10);
    expect(tween.at(1e9)).toBe(7);
  });
});

describe('sampling', () => {
  it('sums the last minute and forgets what is older', () => {
    const sampling = new Sampling();
    const start = 1_700_000_000_000;
    for (let s = 0; s < 120; s++) sampling.add(1, 3, start + s * 1_000);
    expect(sampling.sums(start + 119_000)).toEqual({ shown: 60, of: 180, seconds: 60 });
    expect(sampling.sums(start + 149_000)).toEqual({ shown: 30, of: 90, seconds: 60 });
    expect(sampling.sums(start + 999_000)).toEqual({ shown: 0, of: 0, seconds: 60 });
  });

  it('says of how much of a minute it knows', () => {
    const sampling = new Sampling();
    const start = 1_700_000_000_000;
    sampling.add(1, 3, start);
    expect(sampling.sums(start + 400)).toEqual({ shown: 1, of: 3, seconds: 1 });
    expect(sampling.sums(start + 14_000)).toEqual({ shown: 1, of: 3, seconds: 15 });
  });

  it('bears a clock that goes back', () => {
    const sampling = new Sampling();
    sampling.add(1, 1, 1_700_000_000_000);
    sampling.add(1, 1, 1_699_999_990_000);
    expect(sampling.sums(1_700_000_000_000)).toEqual({ shown: 2, of: 2, seconds: 1 });
  });
});

describe('last hour', () => {
  const minutes = (f: (i: number) => number) => Array.from({ length: 60 }, (_, i) => f(i));
  const history = {
    orders: minutes((i) => (i < 50 || i === 55 ? 0 : i)),
    sales: minutes((i) => 10 * i),
  } as unknown as History;

  it('begins with the first minute that had an order, and keeps later zeros', () => {
    const points = lastHour(history, 'orders');
    expect(points.map((p) => p.value)).toEqual([50, 51, 52, 53, 54, 0, 56, 57, 58, 59]);
    expect(points[0]!.minute).toBe(9);
    expect(points.at(-1)!.minute).toBe(0);
    expect(lastHour(history, 'sales').map((p) => p.value)).toEqual([500, 510, 520, 530, 540, 550, 560, 570, 580, 590]);
  });

  it('is empty while there was no order', () => {
    expect(lastHour({ ...history, orders: minutes(() => 0) }, 'sales')).toEqual([]);
  });

  it('has a line from two points on, inside its box', () => {
    expect(sparkPaths([{ minute: 0, value: 1 }], 100, 20)).toBeUndefined();
    const paths = sparkPaths([{ minute: 1, value: 5 }, { minute: 0, value: 5 }], 100, 20)!;
    expect(paths.line).toMatch(/^M0 [\d.]+L100 [\d.]+$/);
    expect(paths.y).toBeGreaterThanOrEqual(0);
    expect(paths.y).toBeLessThanOrEqual(20);
  });

  it('bears a history without the figure', () => {
    expect(lastHour({} as History, 'sales')).toEqual([]);
  });
});
