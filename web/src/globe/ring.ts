import { distanceMetres } from './sphere.ts';

/** Milliseconds of an arc: it flies, its landing ring spreads, both fade. */
export const FLIGHT_MS = 2_200;
export const LANDING_MS = 800;
export const LIFE_MS = FLIGHT_MS + LANDING_MS;

/** 32-bit words per order: from, to, start, and weight with tone. */
export const WORDS = 4;

/** Bounds of the three tones, in metres: near, far, across the world. */
export const TONE_METRES = [2_000_000, 8_000_000] as const;

/** Which tone an arc of so many metres has: 0, 1 or 2. */
export function toneOf(metres: number): number {
  return metres < TONE_METRES[0] ? 0 : metres < TONE_METRES[1] ? 1 : 2;
}

/** Packs a position into 16 bits each of latitude and longitude (0.003 and 0.006 degrees). */
export function packPlace(lat: number, lon: number): number {
  const y = Math.round(((Math.min(90, Math.max(-90, lat)) + 90) / 180) * 65_535);
  const x = Math.round(((((lon + 180) % 360) + 360) % 360 / 360) * 65_535);
  return ((y << 16) | x) >>> 0;
}

/**
 * The arcs in flight: 16 bytes each in a ring that is also the buffer of
 * instance attributes, so adding one allocates nothing and moves 16 bytes.
 *
 * The ring is full when the arc that would be overwritten is still in flight.
 * A new arc is then refused rather than an old one cut off in the air; the page
 * says how many of the orders it shows.
 */
export class ArcRing {
  readonly words: Uint32Array;
  private next = 0;
  private cap: number;
  private readonly ends: Float64Array;
  /** First and one past the last slot written since `takeDirty`, or empty. */
  private dirtyFrom = 0;
  private dirtyTo = 0;

  /** `capacity` slots are made; `limit` says how many of them are used. */
  constructor(readonly capacity: number) {
    this.words = new Uint32Array(capacity * WORDS);
    this.ends = new Float64Array(capacity).fill(-1);
    this.cap = capacity;
  }

  /** Slots in use: what the graphics card has to be given. */
  get limit(): number {
    return this.cap;
  }

  set limit(slots: number) {
    this.cap = Math.max(1, Math.min(this.capacity, Math.floor(slots)));
    if (this.next >= this.cap) this.next = 0;
  }

  /**
   * Adds an arc of n orders that starts at `start`, in milliseconds of the
   * globe's own clock; `now` is the same clock's time. Returns false where the
   * ring is full.
   */
  add(fromLat: number, fromLon: number, toLat: number, toLon: number, n: number, start: number, now: number): boolean {
    const slot = this.next;
    if (this.ends[slot]! > now) return false;
    const at = slot * WORDS;
    this.words[at] = packPlace(fromLat, fromLon);
    this.words[at + 1] = packPlace(toLat, toLon);
    this.words[at + 2] = Math.max(1, Math.round(start)); // 0 is an empty slot
    const tone = toneOf(distanceMetres(fromLat, fromLon, toLat, toLon));
    this.words[at + 3] = (Math.min(65_535, Math.max(1, Math.round(n))) | (tone << 16)) >>> 0;
    this.ends[slot] = start + LIFE_MS;
    this.mark(slot);
    this.next = slot + 1 === this.cap ? 0 : slot + 1;
    return true;
  }

  /** How many arcs are in flight or landing. */
  inFlight(now: number): number {
    let count = 0;
    for (let i = 0; i < this.cap; i++) if (this.ends[i]! > now) count++;
    return count;
  }

  private mark(slot: number): void {
    if (this.dirtyTo === this.dirtyFrom) {
      this.dirtyFrom = slot;
      this.dirtyTo = slot + 1;
      return;
    }
    this.dirtyFrom = Math.min(this.dirtyFrom, slot);
    this.dirtyTo = Math.max(this.dirtyTo, slot + 1);
  }

  /** Tells which slots have to be sent to the graphics card, and forgets them. */
  takeDirty(send: (from: number, count: number) => void): void {
    if (this.dirtyTo > this.dirtyFrom) send(this.dirtyFrom, this.dirtyTo - this.dirtyFrom);
    this.dirtyFrom = this.dirtyTo = 0;
  }
}
