import { distanceMetres } from './sphere.ts';

/** Milliseconds of an arc: it flies, its landing ring spreads, both fade. */
export const FLIGHT_MS = 2_200;
export const LANDING_MS = 800;
export const LIFE_MS = FLIGHT_MS + LANDING_MS;

/** 32-bit words per order: from, to, start, and weight with tone. */
export const WORDS = 4;

/** Where the tones of an arc change, in metres. */
export type ToneBounds = readonly [number, number];

/** Which tone an arc of so many metres has: 0, 1 or 2. */
export function toneOf(metres: number, bounds: ToneBounds): number {
  return metres < bounds[0] ? 0 : metres < bounds[1] ? 1 : 2;
}

/** Packs a position into 16 bits each of latitude and longitude (0.003 and 0.006 degrees). */
export function packPlace(lat: number, lon: number): number {
  const y = Math.round(((Math.min(90, Math.max(-90, lat)) + 90) / 180) * 65_535);
  const x = Math.round(((((lon + 180) % 360) + 360) % 360 / 360) * 65_535);
  return ((y << 16) | x) >>> 0;
}

/** Latitude and longitude of a packed place, in degrees. */
export function unpackPlace(packed: number): [number, number] {
  return [((packed >>> 16) / 65_535 - 0.5) * 180, ((packed & 65_535) / 65_535 - 0.5) * 360];
}

/**
 * The arcs in flight: 16 bytes each in a ring that is also the buffer of
 * instance attributes, so adding one allocates nothing and moves 16 bytes.
 *
 * The ring is full when the arc that would be overwritten is still in flight.
 * A new arc is then refused rather than an old one cut off in the air; the page
 * says how many of the orders it shows.
 */
export class ArcRing<T = unknown> {
  readonly words: Uint32Array;
  /** What each slot shows, as it was given to `add`. */
  readonly shown: (T | undefined)[];
  private next = 0;
  private cap: number;
  private readonly ends: Float64Array;
  /** First and one past the last slot written since `takeDirty`, or empty. */
  private dirtyFrom = 0;
  private dirtyTo = 0;
  private held = -1;

  /** `capacity` slots are made; `limit` says how many of them are used. */
  constructor(readonly capacity: number, private readonly bounds: ToneBounds) {
    this.words = new Uint32Array(capacity * WORDS);
    this.shown = new Array<T | undefined>(capacity).fill(undefined);
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
  add(fromLat: number, fromLon: number, toLat: number, toLon: number, n: number, start: number, now: number, what?: T): boolean {
    const slot = this.next === this.held ? this.after(this.next) : this.next;
    if (slot === this.held || this.ends[slot]! > now) return false;
    const at = slot * WORDS;
    this.words[at] = packPlace(fromLat, fromLon);
    this.words[at + 1] = packPlace(toLat, toLon);
    this.words[at + 2] = Math.max(1, Math.round(start)); // 0 is an empty slot
    const tone = toneOf(distanceMetres(fromLat, fromLon, toLat, toLon), this.bounds);
    this.words[at + 3] = (Math.min(65_535, Math.max(1, Math.round(n))) | (tone << 16)) >>> 0;
    this.ends[slot] = start + LIFE_MS;
    this.shown[slot] = what;
    this.mark(slot);
    this.next = this.after(slot);
    return true;
  }

  private after(slot: number): number {
    return slot + 1 >= this.cap ? 0 : slot + 1;
  }

  /** Keeps a slot from being overwritten until another one is held; -1: none. */
  hold(slot: number): void {
    this.held = slot;
  }

  /** The slot that is held, or -1. */
  get heldSlot(): number {
    return this.held;
  }

  /** How far a slot's flight has come, from 0 to 1; undefined where it is not in the air. */
  progress(slot: number, now: number): number | undefined {
    if (this.ends[slot]! <= now) return undefined;
    const share = (now - this.words[slot * WORDS + 2]!) / FLIGHT_MS;
    return share >= 0 && share <= 1 ? share : undefined;
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
