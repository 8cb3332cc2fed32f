import { Vector3 } from 'three';

const RADIANS = Math.PI / 180;

/** Degrees a second that the globe turns when nobody touches it. */
const DRIFT = 2.2;

/** Vertical field of view in degrees. */
export const FIELD = 26;

/** Height of the highest arc above the ground, in radii. */
export const HIGHEST = 0.17;

/** What fits beside the globe at first, in radii: its air. Only the highest arcs reach farther, over the edge of the picture. */
const MARGIN = 0.115;

const LIMITS = { tilt: 65, near: 1, far: 3.2 } as const;

/**
 * Where the globe is looked at from. It drifts slowly; a hand stops the drift,
 * a throw goes on and eases out, and the drift comes back softly.
 */
export class Orbit {
  /** Where the camera stands; the globe is the unit sphere at the origin. */
  readonly position = new Vector3();
  readonly right = new Vector3();
  readonly up = new Vector3();
  lat = 28;
  lon: number;
  private zoomed = 1;
  private zoomGoal = 1;
  private drift = 1;
  private spinLon = 0;
  private spinLat = 0;
  private held = false;
  private touched = -Infinity;
  private aspect = 1;
  private goal: { lat: number; lon: number } | undefined;
  /** Stays where it was sent, instead of drifting on. */
  private anchored = false;

  constructor(lon: number, private readonly still: boolean) {
    this.lon = lon;
  }

  /** Width of the view by its height. */
  shape(aspect: number): void {
    this.aspect = aspect;
  }

  /** Distance of the camera from the centre: the globe and its air just fit the smaller side. */
  get distance(): number {
    const half = Math.tan((FIELD / 2) * RADIANS) * Math.min(1, this.aspect);
    return (1 + MARGIN) / Math.sin(Math.atan(half)) / this.zoomed;
  }

  /** Flies to a place, comes as near as `zoom`, and stays there. */
  flyTo(lat: number, lon: number, zoom: number): void {
    this.spinLon = this.spinLat = 0;
    this.goal = { lat: clampTilt(lat), lon: this.lon + turn(lon - this.lon) };
    this.zoomGoal = Math.min(LIMITS.far, Math.max(LIMITS.near, zoom));
    this.anchored = true;
    if (!this.still) return;
    this.lat = this.goal.lat;
    this.lon = this.goal.lon;
    this.zoomed = this.zoomGoal;
  }

  /** Lets it drift again, from as far as at first. */
  roam(): void {
    this.goal = undefined;
    this.anchored = false;
    this.zoomGoal = 1;
    if (this.still) this.zoomed = 1;
  }

  /** How much nearer it is than at first. */
  get nearness(): number {
    return this.zoomed;
  }

  /** Tangents of half the field of view, across and up. */
  get spread(): readonly [number, number] {
    const tan = Math.tan((FIELD / 2) * RADIANS);
    return [tan * this.aspect, tan];
  }

  grab(now: number): void {
    this.held = true;
    this.goal = undefined;
    this.spinLon = this.spinLat = 0;
    this.touched = now;
  }

  /** Moves by so many degrees; `seconds` since the move before gives the throw. */
  drag(lon: number, lat: number, seconds: number, now: number): void {
    this.goal = undefined;
    this.lon += lon;
    this.lat = clampTilt(this.lat + lat);
    const share = seconds > 0 ? Math.min(1, seconds * 12) : 0;
    this.spinLon += (lon / Math.max(seconds, 0.004) - this.spinLon) * share;
    this.spinLat += (lat / Math.max(seconds, 0.004) - this.spinLat) * share;
    this.touched = now;
  }

  release(now: number): void {
    this.held = false;
    this.touched = now;
  }

  /** Comes nearer (factor over 1) or goes away. */
  zoom(factor: number, now: number): void {
    this.zoomGoal = Math.min(LIMITS.far, Math.max(LIMITS.near, this.zoomGoal * factor));
    this.touched = now;
  }

  /** How many degrees of the globe a pixel at its middle covers, for a view so many pixels high. */
  degreesPerPixel(height: number): number {
    return (2 * (this.distance - 1) * Math.tan((FIELD / 2) * RADIANS)) / height / RADIANS;
  }

  /** Moves on by `seconds`, and sets position, right and up. */
  step(seconds: number, now: number): void {
    const ease = (rate: number) => 1 - Math.exp(-rate * seconds);
    const goal = this.held || this.still || this.anchored || now - this.touched < 2_500 ? 0 : 1;
    this.drift += (goal - this.drift) * ease(goal > this.drift ? 0.8 : 6);
    if (this.goal) {
      this.lat += (this.goal.lat - this.lat) * ease(2.6);
      this.lon += (this.goal.lon - this.lon) * ease(2.6);
    } else if (!this.held) {
      this.lon += (this.spinLon - DRIFT * this.drift) * seconds;
      this.lat = clampTilt(this.lat + this.spinLat * seconds);
      this.spinLon -= this.spinLon * ease(2.4);
      this.spinLat -= this.spinLat * ease(2.4);
    }
    this.zoomed += (this.zoomGoal - this.zoomed) * ease(this.goal ? 2.6 : 7);
    const phi = this.lat * RADIANS;
    const lambda = this.lon * RADIANS;
    this.position
      .set(Math.cos(phi) * Math.sin(lambda), Math.sin(phi), Math.cos(phi) * Math.cos(lambda))
      .multiplyScalar(this.distance);
    this.right.set(Math.cos(lambda), 0, -Math.sin(lambda));
    this.up.crossVectors(this.position, this.right).normalize();
  }
}

/** The same turn by the shorter way, in degrees. */
function turn(degrees: number): number {
  return ((((degrees + 180) % 360) + 360) % 360) - 180;
}

function clampTilt(lat: number): number {
  return Math.min(LIMITS.tilt, Math.max(-LIMITS.tilt, lat));
}
