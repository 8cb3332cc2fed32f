import { latticeVectors, nearestBefore } from '../../scripts/lattice.mjs';
import type { LatLon } from './sphere.ts';

const RADIANS = Math.PI / 180;

/** A point further from all land than this (as a cosine) is at sea: about 1.3 degrees. */
const AT_SEA = Math.cos(1.3 * RADIANS);

const bytesOf = (base64: string) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

/** Where a country lies: its middle, and how far it reaches from there in degrees. */
export interface Extent extends LatLon {
  readonly reach: number;
}

/** The land dots of the lattice of scripts/land.mjs, each with its country. */
export class Land {
  /** Unit vectors, three numbers a dot. */
  readonly vectors: Float32Array<ArrayBuffer>;
  /** Each dot's place in `codes`. */
  readonly country: Uint8Array<ArrayBuffer>;

  constructor(points: number, bits: string, readonly codes: readonly string[], countries: string) {
    const land = bytesOf(bits);
    const onLand = (i: number) => (((land[i >> 3] ?? 0) >> (i & 7)) & 1) === 1;
    const lattice = latticeVectors(points);
    const at = new Int32Array(points).fill(-1);
    let count = 0;
    for (let i = 0; i < points; i++) if (onLand(i)) at[i] = count++;
    this.vectors = new Float32Array(count * 3);
    this.country = new Uint8Array(count);
    const list = new Exceptions(bytesOf(countries));
    for (let i = 0; i < points; i++) {
      const dot = at[i]!;
      if (dot < 0) continue;
      this.vectors.set(lattice.subarray(3 * i, 3 * i + 3), 3 * dot);
      const guess = nearestBefore(i, lattice, onLand);
      this.country[dot] = (guess < 0 ? undefined : list.right(this.country[at[guess]!]!)) ?? list.take();
    }
  }

  get count(): number {
    return this.country.length;
  }

  private cosine(dot: number, x: number, y: number, z: number): number {
    return this.vectors[dot * 3]! * x + this.vectors[dot * 3 + 1]! * y + this.vectors[dot * 3 + 2]! * z;
  }

  /** The code of the country at a unit vector; undefined at sea, and where land has no code. */
  countryAt(x: number, y: number, z: number): string | undefined {
    let best = -1;
    let most = AT_SEA;
    for (let dot = 0; dot < this.count; dot++) {
      const cosine = this.cosine(dot, x, y, z);
      if (cosine > most) {
        most = cosine;
        best = dot;
      }
    }
    return best < 0 ? undefined : this.codes[this.country[best]!] || undefined;
  }

  /** The place of a code in `codes`; -1 where no dot is in that country. */
  indexOf(code: string | undefined): number {
    return code === undefined || code === '' ? -1 : this.codes.indexOf(code);
  }

  /** Where a country lies; undefined where it has no dot. */
  extent(code: string): Extent | undefined {
    const index = this.indexOf(code);
    if (index < 0) return undefined;
    const middle = [0, 0, 0];
    for (let dot = 0; dot < this.count; dot++)
      if (this.country[dot] === index) for (let axis = 0; axis < 3; axis++) middle[axis]! += this.vectors[dot * 3 + axis]!;
    const length = Math.hypot(...middle) || 1;
    const [x, y, z] = middle.map((v) => v / length) as [number, number, number];
    const cosines: number[] = [];
    for (let dot = 0; dot < this.count; dot++) if (this.country[dot] === index) cosines.push(this.cosine(dot, x, y, z));
    cosines.sort((a, b) => b - a);
    // Nine dots of ten: an island far away does not make a country small.
    const reach = Math.acos(Math.min(1, cosines[Math.floor(cosines.length * 0.9)] ?? 1)) / RADIANS;
    return { lat: Math.asin(y) / RADIANS, lon: Math.atan2(x, z) / RADIANS, reach };
  }
}

/** The list of scripts/land.mjs: how many guesses are right, then the country of a point where it is not. */
class Exceptions {
  private at = 0;
  private left = 0;

  constructor(private readonly bytes: Uint8Array) {
    this.count();
  }

  private count(): void {
    this.left = 0;
    for (; this.bytes[this.at] === 255; this.at++) this.left += 255;
    this.left += this.bytes[this.at++] ?? Infinity;
  }

  /** The guess, if it is right. */
  right(guess: number): number | undefined {
    return this.left-- > 0 ? guess : undefined;
  }

  /** The country of a point whose guess is wrong, or that has none. */
  take(): number {
    const country = this.bytes[this.at++] ?? 0;
    this.count();
    return country;
  }
}
