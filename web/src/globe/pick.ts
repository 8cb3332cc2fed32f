import { HIGHEST, type Orbit } from './camera.ts';
import { unpackPlace, WORDS, type ArcRing } from './ring.ts';
import { toVector } from './sphere.ts';

/** How near a pointer has to come to an arc, in CSS pixels. */
const REACH_PX = 11;

/** Pieces into which the part of an arc that is in the air is cut. */
const PIECES = 6;

const from = [0, 0, 0];
const to = [0, 0, 0];

const ease = (x: number) => {
  const c = Math.min(1, Math.max(0, x));
  return c * c * (3 - 2 * c);
};

/** A canvas as the pointer sees it: its size in CSS pixels, and where it is looked from. */
export class Sight {
  private readonly at = { x: 0, y: 0, seen: false };

  constructor(private readonly orbit: Orbit, public width: number, public height: number) {}

  /** Where a point of space stands on the canvas, and whether the ball leaves it to be seen. The answer is overwritten by the next. */
  project(x: number, y: number, z: number): { x: number; y: number; seen: boolean } {
    const { position: eye, right, up, spread } = this.orbit;
    const dx = x - eye.x;
    const dy = y - eye.y;
    const dz = z - eye.z;
    const far = eye.length();
    const depth = -(dx * eye.x + dy * eye.y + dz * eye.z) / far;
    this.at.x = ((dx * right.x + dy * right.y + dz * right.z) / depth / spread[0] / 2 + 0.5) * this.width;
    this.at.y = (0.5 - (dx * up.x + dy * up.y + dz * up.z) / depth / spread[1] / 2) * this.height;
    const length = Math.hypot(dx, dy, dz);
    const along = -(eye.x * dx + eye.y * dy + eye.z * dz) / length;
    this.at.seen = length < along || far * far - along * along > 1;
    return this.at;
  }

  /** The point of the ground below the pointer as a unit vector; undefined beside the ball. */
  groundAt(px: number, py: number): [number, number, number] | undefined {
    const { position: eye, right, up, spread } = this.orbit;
    const far = eye.length();
    const h = (px / this.width - 0.5) * 2 * spread[0];
    const v = (0.5 - py / this.height) * 2 * spread[1];
    const d = [0, 1, 2].map((i) => {
      const axis = (p: { x: number; y: number; z: number }) => [p.x, p.y, p.z][i]!;
      return -axis(eye) / far + axis(right) * h + axis(up) * v;
    }) as [number, number, number];
    const length = Math.hypot(...d);
    const along = -(eye.x * d[0] + eye.y * d[1] + eye.z * d[2]) / length;
    const half = 1 - (far * far - along * along);
    if (half < 0) return undefined;
    const t = (along - Math.sqrt(half)) / length;
    return [eye.x + d[0] * t, eye.y + d[1] * t, eye.z + d[2] * t];
  }
}

/**
 * The slot of the arc in the air that is nearest to the pointer; -1 where none
 * is near. `reach` widens what counts as near: a finger is not a mouse.
 */
export function arcAt(ring: ArcRing, sight: Sight, px: number, py: number, now: number, reach: number): number {
  let best = -1;
  let least = REACH_PX * reach;
  for (let slot = 0; slot < ring.limit; slot++) {
    // What is held shows its whole way, also when it has landed.
    const p = slot === ring.heldSlot ? 1 : ring.progress(slot, now);
    if (p === undefined) continue;
    const tail = slot === ring.heldSlot ? 0 : ease((p - 0.32) / 0.68);
    const distance = distanceTo(ring, slot, sight, px, py, tail, ease(p / 0.8), least);
    if (distance < least) {
      least = distance;
      best = slot;
    }
  }
  return best;
}

/** Pixels from the pointer to the part of an arc between `tail` and `head`, as arcs.vertex in shaders.ts bends it. */
function distanceTo(ring: ArcRing, slot: number, sight: Sight, px: number, py: number, tail: number, head: number, within: number): number {
  toVector(...unpackPlace(ring.words[slot * WORDS]!), from);
  toVector(...unpackPlace(ring.words[slot * WORDS + 1]!), to);
  const angle = Math.acos(Math.min(1, Math.max(-1, from[0]! * to[0]! + from[1]! * to[1]! + from[2]! * to[2]!)));
  if (angle < 0.002) return within;
  const lift = HIGHEST * (1 - Math.exp(-angle * 1.9));
  let least = within;
  let bx = 0;
  let by = 0;
  let before = false;
  for (let i = 0; i <= PIECES; i++) {
    const t = tail + ((head - tail) * i) / PIECES;
    const high = (1 + lift * 4 * t * (1 - t)) / Math.sin(angle);
    const a = Math.sin(angle * (1 - t)) * high;
    const b = Math.sin(angle * t) * high;
    const { x, y, seen } = sight.project(from[0]! * a + to[0]! * b, from[1]! * a + to[1]! * b, from[2]! * a + to[2]! * b);
    if (seen && before) least = Math.min(least, toSegment(px, py, bx, by, x, y));
    bx = x;
    by = y;
    before = seen;
  }
  return least;
}

function toSegment(px: number, py: number, ax: number, ay: number, bx: number, by: number): number {
  const dx = bx - ax;
  const dy = by - ay;
  const t = Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy || 1)));
  return Math.hypot(px - ax - dx * t, py - ay - dy * t);
}
