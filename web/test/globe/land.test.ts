import { bits, codes, countries, points } from 'virtual:land';
import { describe, expect, it } from 'vitest';
import { Land } from '../../src/globe/land.ts';
import { toVector } from '../../src/globe/sphere.ts';

const land = new Land(points, bits, codes.split(','), countries);
const at = (lat: number, lon: number) => {
  const v = [0, 0, 0];
  toVector(lat, lon, v);
  return land.countryAt(v[0]!, v[1]!, v[2]!);
};

describe('land', () => {
  it('covers 29 per cent of the world', () => {
    expect(land.count / points).toBeCloseTo(0.29, 2);
  });

  it.each([
    ['Sahara', 23, 10, 'DZ'], ['Kansas', 38, -98, 'US'], ['Alaska', 65, -152, 'US'], ['Chukotka', 67, -175, 'RU'], ['Viti Levu', -17.8, 178, 'FJ'],
    ['South Pole', -89, 0, 'AQ'], ['Madagascar', -19, 46, 'MG'], ['Lesotho', -29.6, 28.2, 'LS'], ['Paris', 48.9, 2.3, 'FR'], ['Hokkaido', 43, 143, 'JP'],
    ['Kaliningrad', 54.7, 21, 'RU'], ['Kosovo', 42.6, 20.9, 'XK'],
  ])('%s is land, and whose', (_name, lat, lon, code) => {
    expect(at(lat, lon)).toBe(code);
  });

  it.each([
    ['Atlantic', 30, -40], ['Pacific', -17, -120], ['Indian Ocean', -17, 75], ['Arctic', 87, 0], ['South Atlantic', -17.5, -20], ['Bay of Bengal', 14, 88],
  ])('%s is sea: no band round the world from a ring over the antimeridian', (_name, lat, lon) => {
    expect(at(lat, lon)).toBeUndefined();
  });

  it('says where a country lies', () => {
    const france = land.extent('FR')!;
    expect(Math.abs(france.lat - 46.5)).toBeLessThan(4);
    const chile = land.extent('CL')!;
    expect(chile.reach).toBeGreaterThan(8);
    expect(land.extent('ZZ')).toBeUndefined();
  });
});
