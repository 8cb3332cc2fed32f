// The Fibonacci lattice of the land dots, for the script that computes them and
// for the globe that draws them: both must come to the very same neighbours.

const GOLDEN = (Math.sqrt(5) - 1) / 2;

/** Differences of index between a point and those beside it, which are Fibonacci numbers. */
const STEPS = [55, 89, 144, 233, 377, 610, 987];

/** Longitude and latitude, in radians, of point i of n. */
export function latticePoint(i, n) {
  return [((i * GOLDEN) % 1) * 2 * Math.PI - Math.PI, Math.asin(1 - (2 * i + 1) / n)];
}

/** Unit vectors of all n points, three numbers each: y is the north pole, longitude 0 looks along z. */
export function latticeVectors(n) {
  const out = new Float32Array(n * 3);
  for (let i = 0; i < n; i++) {
    const [lon, lat] = latticePoint(i, n);
    out[3 * i] = Math.cos(lat) * Math.sin(lon);
    out[3 * i + 1] = Math.sin(lat);
    out[3 * i + 2] = Math.cos(lat) * Math.cos(lon);
  }
  return out;
}

/** Of the points before i and beside it that are on land the nearest; -1 where there is none. */
export function nearestBefore(i, vectors, onLand) {
  let best = -1;
  let most = -1;
  for (const step of STEPS) {
    const j = i - step;
    if (j < 0 || !onLand(j)) continue;
    let cosine = 0;
    for (let axis = 0; axis < 3; axis++) cosine += vectors[3 * i + axis] * vectors[3 * j + axis];
    if (cosine > most) {
      most = cosine;
      best = j;
    }
  }
  return best;
}
