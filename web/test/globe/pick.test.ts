import { describe, expect, it } from 'vitest';
import { parseCities, Places } from '../../src/globe/cities.ts';
import { Orbit } from '../../src/globe/camera.ts';
import { arcAt, Sight } from '../../src/globe/pick.ts';
import { ArcRing } from '../../src/globe/ring.ts';
import { toVector } from '../../src/globe/sphere.ts';

const orbit = new Orbit(0, true);
orbit.lat = 0;
orbit.shape(1);
orbit.step(0, 0);
const sight = new Sight(orbit, 600, 600);

describe('sight', () => {
  it('sees the ground in the middle of the canvas, and none at its corner', () => {
    const [x, y, z] = sight.groundAt(300, 300)!;
    expect([x, y, z].map((v) => Math.round(v * 100) / 100)).toEqual([0, 0, 1]);
    expect(sight.groundAt(3, 3)).toBeUndefined();
  });

  it('projects a place to where its ground is seen', () => {
    const v = [0, 0, 0];
    toVector(30, -25, v);
    const { x, y, seen } = sight.project(v[0]!, v[1]!, v[2]! * 1.0001);
    expect(seen).toBe(true);
    const ground = sight.groundAt(x, y)!;
    ground.forEach((value, axis) => expect(value).toBeCloseTo(v[axis]!, 2));
    expect(x).toBeLessThan(300);
    expect(y).toBeLessThan(300);
    expect(sight.project(0, 0, -1).seen).toBe(false);
  });
});

describe('arcs', () => {
  const ring = new ArcRing(4, [2e6, 8e6]);
  ring.add(0, -20, 0, 20, 1, 0, 0);

  it('are found where they fly, and not beside them or when they have landed', () => {
    const { y } = sight.project(0, 0, 1.1);
    expect(arcAt(ring, sight, 300, y, 900, 1)).toBe(0);
    expect(arcAt(ring, sight, 300, y + 60, 900, 1)).toBe(-1);
    expect(arcAt(ring, sight, 300, y, 9_000, 1)).toBe(-1);
    ring.hold(0);
    expect(arcAt(ring, sight, 300, y, 9_000, 1)).toBe(0);
  });
});

describe('places', () => {
  const places = new Places(parseCities('city,country,lat,lon,population\nToronto,CA,43.7064,-79.3986,2600000\nYork,CA,43.69,-79.47,1\nParis,FR,48.8534,2.3488,2138551\nParis,US,33.66,-95.55,1\n'));

  it('knows the city of a cell, the largest first', () => {
    expect(places.near(43.5, -79.5)?.name).toBe('Toronto');
    expect(places.near(0, 0)).toBeUndefined();
  });

  it('knows whether a name can be at a place', () => {
    expect(places.isAt('Paris', 49, 2.5)).toBe(true);
    expect(places.isAt('Paris', 33.5, -95.5)).toBe(true);
    expect(places.isAt('Paris', 43.5, -79.5)).toBe(false);
    expect(places.isAt('Nowhere', 0, 0)).toBe(false);
  });

  it('knows the largest city of a country', () => {
    expect(places.largestOf('US')?.name).toBe('Paris');
    expect(places.largestOf('XX')).toBeUndefined();
  });
});
