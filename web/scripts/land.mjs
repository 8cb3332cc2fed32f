// Computes which points of a Fibonacci lattice on the sphere lie on land, and in
// which country, from Natural Earth's 1:50m countries (public domain) as packed
// by world-atlas.
//
// A bit per point of lattice.mjs says where land is. Countries follow from
// neighbours: see `packed`.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { feature } from 'topojson-client';
import { latticePoint, latticeVectors, nearestBefore } from './lattice.mjs';

const POINTS = 72_000;
const require = createRequire(import.meta.url);

/**
 * Unrolls a ring so that no step between neighbours is wider than half the
 * world. world-atlas stitches rings over the antimeridian: taken as they are,
 * Fiji and one Arctic ring would draw a band round the world. A ring that does
 * not come back to its own longitude goes round a pole, and is closed over it.
 */
function unroll(ring) {
  const points = [ring[0].slice()];
  for (let i = 1; i < ring.length; i++) {
    const before = points[i - 1][0];
    let lon = ring[i][0];
    while (lon - before > 180) lon -= 360;
    while (lon - before < -180) lon += 360;
    points.push([lon, ring[i][1]]);
  }
  const first = points[0];
  const last = points[points.length - 1];
  if (Math.abs(last[0] - first[0]) > 180) {
    const pole = points.reduce((sum, p) => sum + p[1], 0) < 0 ? -90 : 90;
    points.push([last[0], pole], [first[0], pole], first.slice());
  }
  let west = Infinity;
  let east = -Infinity;
  let south = Infinity;
  let north = -Infinity;
  for (const [lon, lat] of points) {
    west = Math.min(west, lon);
    east = Math.max(east, lon);
    south = Math.min(south, lat);
    north = Math.max(north, lat);
  }
  return { edges: bands(points), west, east, south, north };
}

/** Edges of a ring by the whole degrees of latitude that they touch. */
function bands(points) {
  const byDegree = new Map();
  for (let i = 1; i < points.length; i++) {
    const edge = [...points[i - 1], ...points[i]];
    const low = Math.floor(Math.min(edge[1], edge[3]));
    const high = Math.floor(Math.max(edge[1], edge[3]));
    for (let degree = low; degree <= high; degree++) {
      if (!byDegree.has(degree)) byDegree.set(degree, []);
      byDegree.get(degree).push(edge);
    }
  }
  return byDegree;
}

/** Whether the ring holds the point: even-odd rule on the unrolled plane. */
function inRing({ edges }, lon, lat) {
  let inside = false;
  for (const [x1, y1, x2, y2] of edges.get(Math.floor(lat)) ?? []) {
    if (y1 > lat !== y2 > lat && lon < ((x2 - x1) * (lat - y1)) / (y2 - y1) + x1) inside = !inside;
  }
  return inside;
}

/** Whether the point lies in the ring at any turn round the world. */
function holds(ring, lon, lat) {
  if (lat < ring.south || lat > ring.north) return false;
  for (const turn of [-360, 0, 360]) {
    const l = lon + turn;
    if (l >= ring.west && l <= ring.east && inRing(ring, l, lat)) return true;
  }
  return false;
}

/** ISO 3166 letters by the numbers that Natural Earth has. */
function lettersByNumber() {
  const rows = JSON.parse(readFileSync(require.resolve('i18n-iso-countries/codes.json'), 'utf8'));
  return new Map(rows.map(([letters, , number]) => [number, letters]));
}

/** Each country's letters ('' for what ISO has no code for) with its polygons, unrolled. */
function countries() {
  const topology = JSON.parse(readFileSync(require.resolve('world-atlas/countries-50m.json'), 'utf8'));
  const letters = lettersByNumber();
  return feature(topology, topology.objects.countries).features.map(({ id, properties, geometry }) => ({
    code: letters.get(id) ?? (properties.name === 'Kosovo' ? 'XK' : ''),
    polygons: (geometry.type === 'Polygon' ? [geometry.coordinates] : geometry.coordinates).map((rings) => rings.map(unroll)),
  }));
}

/** All land, as polygons: unlike that of the countries its Antarctica reaches to the pole. */
function allLand() {
  const topology = JSON.parse(readFileSync(require.resolve('world-atlas/land-50m.json'), 'utf8'));
  const land = feature(topology, topology.objects.land);
  return (land.features ?? [land]).flatMap(({ geometry: g }) => (g.type === 'Polygon' ? [g.coordinates] : g.coordinates)).map((rings) => rings.map(unroll));
}

const inside = (polygons, lon, lat) => polygons.some(([shell, ...holes]) => holds(shell, lon, lat) && !holes.some((h) => holds(h, lon, lat)));

/** The number of the country that a point of land lies in, or the nearest neighbour's where coasts differ. `near` is looked at first. */
function countryAt(all, near, lon, lat) {
  if (lat < -60) return all.findIndex(({ code }) => code === 'AQ');
  if (near >= 0 && inside(all[near].polygons, lon, lat)) return near;
  const found = all.findIndex(({ polygons }) => inside(polygons, lon, lat));
  return found >= 0 ? found : near >= 0 ? near : all.length;
}

/**
 * Bytes that say where the country of a land point is not that of its nearest
 * neighbour before it: the number of land points since the last such one (255:
 * and more to come), then the country's place in the list of codes.
 */
function packed(land, order) {
  const vectors = latticeVectors(POINTS);
  const bytes = [];
  let since = 0;
  for (let i = 0; i < POINTS; i++) {
    if (land[i] < 0) continue;
    const guess = nearestBefore(i, vectors, (j) => land[j] >= 0);
    if (guess >= 0 && land[guess] === land[i]) {
      since++;
      continue;
    }
    for (; since >= 255; since -= 255) bytes.push(255);
    bytes.push(since, order.get(land[i]));
    since = 0;
  }
  return bytes;
}

const base64 = (bytes) => Buffer.from(bytes).toString('base64');

/** Returns the lattice's size, its land bits, the countries' codes, and which point is where. */
export function landData() {
  const all = countries();
  const land = new Int16Array(POINTS).fill(-1);
  const bits = new Uint8Array(Math.ceil(POINTS / 8));
  const ground = allLand();
  for (let i = 0; i < POINTS; i++) {
    const place = latticePoint(i, POINTS).map((r) => (r * 180) / Math.PI);
    if (!inside(ground, ...place)) continue;
    land[i] = countryAt(all, i >= 144 ? land[i - 144] : -1, ...place);
    bits[i >> 3] |= 1 << (i & 7);
  }
  const seen = [...new Set(land)].filter((country) => country >= 0);
  if (seen.length > 255) throw new Error(`${seen.length} countries do not fit a byte`);
  const order = new Map(seen.map((country, place) => [country, place]));
  return { points: POINTS, bits: base64(bits), codes: seen.map((country) => all[country]?.code ?? '').join(','), countries: base64(packed(land, order)) };
}
