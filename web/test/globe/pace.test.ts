import { expect, it } from 'vitest';
import { Pace } from '../../src/globe/pace.ts';

it('lets arcs start evenly, not in pulses', () => {
  const pace = new Pace(0.1); // 100 a second
  const taken: number[] = [];
  for (let now = 0; now < 10_000; now += 100) taken.push(pace.take(64, now));
  expect(taken.slice(1).every((n) => n === 10)).toBe(true);
});

it('saves up little while nothing comes', () => {
  const pace = new Pace(0.1);
  pace.take(0, 0);
  expect(pace.take(1_000, 60_000)).toBe(25);
});

it('takes a fair sample of an ordered list', () => {
  const pace = new Pace(1);
  const hits = new Array<number>(64).fill(0);
  for (let round = 0; round < 640; round++) pace.sample(10, 64, (i) => hits[i]!++);
  expect(hits.reduce((a, b) => a + b)).toBe(6_400);
  expect(Math.min(...hits)).toBeGreaterThan(90);
  expect(Math.max(...hits)).toBeLessThan(110);
  const all: number[] = [];
  new Pace(1).sample(3, 3, (i) => all.push(i));
  expect(all).toEqual([0, 1, 2]);
});
