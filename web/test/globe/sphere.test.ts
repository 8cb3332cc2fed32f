import { describe, expect, it } from 'vitest';
import { distanceMetres, subsolar } from '../../src/globe/sphere.ts';

describe('sun', () => {
  it('stands over the equator at the equinox and over the tropics at the solstices', () => {
    expect(subsolar(Date.parse('2026-03-20T14:46:00Z')).lat).toBeCloseTo(0, 1);
    expect(subsolar(Date.parse('2026-06-21T08:24:00Z')).lat).toBeCloseTo(23.44, 1);
    expect(subsolar(Date.parse('2026-12-21T20:50:00Z')).lat).toBeCloseTo(-23.44, 1);
  });

  it('stands over Greenwich at noon, but for the equation of time', () => {
    expect(subsolar(Date.parse('2026-04-15T12:00:00Z')).lon).toBeCloseTo(0, 0);
    // Early in November the sun is 16.4 minutes, 4.1 degrees, ahead.
    expect(subsolar(Date.parse('2026-11-03T12:00:00Z')).lon).toBeCloseTo(-4.1, 1);
  });
});

it('measures great circles as the aggregation does', () => {
  expect(distanceMetres(0, 0, 0, 180)).toBeCloseTo(Math.PI * 6_371_008.8, 3);
  expect(distanceMetres(43.65, -79.38, 51.5, -0.12) / 1_000).toBeCloseTo(5_710, -1);
});
