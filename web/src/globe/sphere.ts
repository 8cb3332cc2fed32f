/** Geometry on the unit sphere: y is the north pole, longitude 0 looks along z. */

const RADIANS = Math.PI / 180;

/** Mean radius of the earth in metres (IUGG), as the aggregation uses it. */
export const EARTH_METRES = 6_371_008.8;

/** A position in degrees. */
export interface LatLon {
  readonly lat: number;
  readonly lon: number;
}

/** Writes the point at lat, lon into out at `at`. */
export function toVector(lat: number, lon: number, out: Float32Array | number[], at = 0): void {
  const phi = lat * RADIANS;
  const lambda = lon * RADIANS;
  out[at] = Math.cos(phi) * Math.sin(lambda);
  out[at + 1] = Math.sin(phi);
  out[at + 2] = Math.cos(phi) * Math.cos(lambda);
}

/** Great-circle distance in metres (haversine). */
export function distanceMetres(lat1: number, lon1: number, lat2: number, lon2: number): number {
  const p = Math.sin(((lat2 - lat1) * RADIANS) / 2);
  const l = Math.sin(((lon2 - lon1) * RADIANS) / 2);
  const a = p * p + Math.cos(lat1 * RADIANS) * Math.cos(lat2 * RADIANS) * l * l;
  return 2 * EARTH_METRES * Math.asin(Math.min(1, Math.sqrt(a)));
}

/**
 * Where the sun stands in the zenith at a time (milliseconds since 1970), good
 * to about a tenth of a degree: the low-precision formulas of the Astronomical
 * Almanac (page C5).
 */
export function subsolar(ms: number): LatLon {
  const days = ms / 86_400_000 - 10_957.5; // since J2000.0
  const mean = (280.46 + 0.9856474 * days) % 360;
  const anomaly = (357.528 + 0.9856003 * days) * RADIANS;
  const ecliptic = (mean + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * RADIANS;
  const tilt = (23.439 - 0.0000004 * days) * RADIANS;
  const ascension = Math.atan2(Math.cos(tilt) * Math.sin(ecliptic), Math.cos(ecliptic)) / RADIANS;
  const sidereal = (280.46061837 + 360.98564736629 * days) % 360;
  const lon = ((((ascension - sidereal) % 360) + 540) % 360) - 180;
  return { lat: Math.asin(Math.sin(tilt) * Math.sin(ecliptic)) / RADIANS, lon };
}
