import { bits, points } from 'virtual:land';
import { describe, expect, it } from 'vitest';
import { distanceMetres, landDots, subsolar } from '../../src/globe/sphere.ts';

describe('land', () => {
  const dots = landDots(points, bits);
  const near = (lat: number, lon: number) => dots.some((d) => distanceMetres(lat, lon, d.lat, d.lon) < 100_000);

  it('covers 29 per cent of the world', () => {
    expect(points).toBe(42_000);
    expect(dots.length / points).toBeCloseTo(0.29, 2);
  });

  it('is where land is, on both sides of the antimeridian and at the pole', () => {
    for (const [name, lat, lon] of [
      ['Sahara', 23, 10], ['Kansas', 38, -98], ['Chukotka', 67, -175], ['Viti Levu', -17.8, 178], ['South Pole', -89, 0], ['Madagascar', -19, 46],
    ] as const)
      expect(near(lat, lon), name).toBe(true);
  });

  it('is not where the sea is: no band round the world from a ring over the antimeridian', () => {
    for (const [name, lat, lon] of [
      ['Atlantic', 30, -40], ['Pacific', -17, -120], ['Indian Ocean', -17, 75], ['Arctic', 87, 0], ['South Atlantic', -17.5, -20], ['Bay of Bengal', 14, 88],
    ] as const)
      expect(near(lat, lon), name).toBe(false);
  });
});

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
