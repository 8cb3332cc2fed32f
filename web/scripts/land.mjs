// Computes which points of a Fibonacci lattice on the sphere lie on land, from
// Natural Earth's 1:50m land polygons (public domain) as packed by world-atlas.
//
// The lattice is the one of src/globe/lattice.ts: point i has
//   z = 1 - (2i+1)/N, longitude = i * 360/phi (mod 360)
// so a bit per point is all that the page has to load.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { feature } from 'topojson-client';

const POINTS = 42_000;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Longitude and latitude in degrees of lattice point i of n. */
function latticePoint(i, n) {
  const lon = ((i * GOLDEN) % 1) * 360 - 180;
  const lat = (Math.asin(1 - (2 * i + 1) / n) * 180) / Math.PI;
  return [lon, lat];
}

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

function landRings() {
  const file = createRequire(import.meta.url).resolve('world-atlas/land-50m.json');
  const topology = JSON.parse(readFileSync(file, 'utf8'));
  const land = feature(topology, topology.objects.land);
  const geometries = land.type === 'FeatureCollection' ? land.features.map((f) => f.geometry) : [land.geometry];
  return geometries
    .flatMap((g) => (g.type === 'Polygon' ? [g.coordinates] : g.coordinates))
    .map((polygon) => polygon.map(unroll));
}

/** Returns the number of lattice points and their land bits, base64, lowest bit first. */
export function landBitset() {
  const polygons = landRings();
  const bits = new Uint8Array(Math.ceil(POINTS / 8));
  for (let i = 0; i < POINTS; i++) {
    const [lon, lat] = latticePoint(i, POINTS);
    const onLand = polygons.some(([shell, ...holes]) => holds(shell, lon, lat) && !holes.some((h) => holds(h, lon, lat)));
    if (onLand) bits[i >> 3] |= 1 << (i & 7);
  }
  return { points: POINTS, bits: Buffer.from(bits).toString('base64') };
}
