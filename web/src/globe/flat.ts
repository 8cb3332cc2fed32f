import type { Flight, Globe, Hit, Options } from './index.ts';
import type { Land } from './land.ts';
import { Pace } from './pace.ts';
import { cssOf, type Palette } from './palette.ts';
import { FLIGHT_MS, LANDING_MS, LIFE_MS, toneOf } from './ring.ts';
import { distanceMetres, subsolar, toVector } from './sphere.ts';
import { Stage } from './stage.ts';

const RADIANS = Math.PI / 180;

/** Latitudes shown: nobody ships to the poles. */
const NORTH = 78;
const SOUTH = -56;

/** Share of the arcs of the globe that the map draws: it works on one core. */
const SHARE = 0.25;

/** Frames per second. */
const FPS = 24;

/** A flight on the map; slots are made once and used again. */
interface Slot {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  tone: number;
  width: number;
  start: number;
  /** What it shows; undefined: a beacon. */
  flight: Flight | undefined;
}

/** How near a pointer has to come to where a flight lands, in CSS pixels. */
const REACH_PX = 12;

/** How often the ground is painted anew, for the sun moves on, in milliseconds. */
const GROUND_MS = 120_000;

/** The world as a flat map on a plain canvas, for browsers without WebGL. */
export class FlatMap implements Globe {
  private readonly stage: Stage;
  private readonly pen: CanvasRenderingContext2D;
  private readonly ground = document.createElement('canvas');
  private readonly slots: Slot[];
  private readonly pace: Pace;
  private readonly letGo = new AbortController();
  private palette: Palette;
  private tones: readonly string[] = [];
  private chosen = -1;
  private on: Hit | undefined;
  private next = 0;
  private owed = 0;
  private groundAt = 0;
  private scale = 1;
  private left = 0;
  private top = 0;

  constructor(host: HTMLElement, private readonly land: Land, private readonly options: Options) {
    this.slots = Array.from({ length: Math.max(40, Math.round(options.arcs * SHARE)) }, () => ({
      x1: 0, y1: 0, x2: 0, y2: 0, tone: 0, width: 1, start: -LIFE_MS, flight: undefined,
    }));
    this.palette = options.palette;
    this.pace = new Pace(this.slots.length / LIFE_MS);
    this.stage = new Stage(host, (ms) => this.frame(ms), () => this.fit());
    const { canvas } = this.stage;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', options.labels.flat);
    this.pen = canvas.getContext('2d')!;
    const { signal } = this.letGo;
    canvas.addEventListener('pointermove', (e) => e.pointerType === 'mouse' && this.hover(this.hitAt(e.offsetX, e.offsetY)), { signal });
    canvas.addEventListener('pointerleave', () => this.hover(undefined), { signal });
    canvas.addEventListener('click', (e) => options.click(this.hitAt(e.offsetX, e.offsetY)), { signal });
    this.paint(options.palette);
    this.fit();
    this.stage.start();
  }

  show(flights: readonly Flight[], spread: number): number {
    if (!this.stage.running) return 0;
    let orders = 0;
    const { now } = this.stage;
    this.pace.sample(this.pace.take(flights.length, now), flights.length, (i) => {
      const slot = this.slots[this.next]!;
      if (slot.start + LIFE_MS > now) return;
      const flight = flights[i]!;
      const { from, to, n } = flight;
      slot.flight = flight;
      slot.x1 = from[1];
      slot.y1 = from[0];
      slot.x2 = to[1];
      slot.y2 = to[0];
      slot.tone = toneOf(distanceMetres(from[0], from[1], to[0], to[1]), this.options.tones);
      slot.width = 1 + Math.min(3, Math.log2(n) * 0.4);
      slot.start = now + (spread * i) / flights.length;
      this.next = (this.next + 1) % this.slots.length;
      orders += n;
    });
    return orders;
  }

  pause(on: boolean): void {
    this.stage.pause(on);
  }

  paint(palette: Palette): void {
    this.palette = palette;
    this.tones = palette.tones.map(cssOf);
    this.drawGround();
    this.draw();
  }

  choose(code: string | undefined): void {
    this.chosen = this.land.indexOf(code);
    this.drawGround();
    this.draw();
  }

  // The map shows all of the world at any time.
  turn(): void {}
  zoom(): void {}

  beacon(lat: number, lon: number): void {
    for (let i = 0; i < 3; i++) {
      const slot = this.slots[this.next]!;
      Object.assign(slot, { x1: lon, y1: lat, x2: lon, y2: lat, tone: 0, width: 4, start: this.stage.now + i * 320 - FLIGHT_MS * 0.78, flight: undefined });
      this.next = (this.next + 1) % this.slots.length;
    }
  }

  picture(): HTMLCanvasElement {
    this.draw();
    return this.stage.canvas;
  }

  dispose(): void {
    this.letGo.abort();
    this.stage.dispose();
  }

  private hover(hit: Hit | undefined): void {
    const key = (h: Hit | undefined) => (h?.kind === 'flight' ? h.flight : h?.code);
    if (key(hit) === key(this.on)) return;
    this.on = hit;
    this.options.hover(hit);
  }

  private hitAt(x: number, y: number): Hit | undefined {
    const { now } = this.stage;
    let least = REACH_PX;
    let flight: Flight | undefined;
    for (const slot of this.slots) {
      const away = Math.hypot(this.x(slot.x2) - x, this.y(slot.y2) - y);
      if (!slot.flight || slot.start > now || slot.start + LIFE_MS < now || away >= least) continue;
      least = away;
      flight = slot.flight;
    }
    if (flight) return { kind: 'flight', flight, x, y };
    const point = [0, 0, 0];
    toVector(NORTH - (y - this.top) / this.scale, (x - this.left) / this.scale - 180, point);
    const code = this.land.countryAt(point[0]!, point[1]!, point[2]!);
    return code === undefined ? undefined : { kind: 'country', code, x, y };
  }

  private x(lon: number): number {
    return this.left + (lon + 180) * this.scale;
  }

  private y(lat: number): number {
    return this.top + (NORTH - lat) * this.scale;
  }

  private fit(): void {
    const { width, height, canvas } = this.stage;
    const ratio = Math.min(devicePixelRatio, 2);
    this.scale = Math.min(width / 360, height / (NORTH - SOUTH));
    this.left = (width - 360 * this.scale) / 2;
    this.top = (height - (NORTH - SOUTH) * this.scale) / 2;
    for (const c of [canvas, this.ground]) {
      c.width = Math.round(width * ratio);
      c.height = Math.round(height * ratio);
      c.getContext('2d')!.setTransform(ratio, 0, 0, ratio, 0, 0);
    }
    this.drawGround();
    this.draw();
  }

  private drawGround(): void {
    const pen = this.ground.getContext('2d')!;
    const { palette, land } = this;
    const { lat, lon } = subsolar(Date.now());
    this.groundAt = this.stage.now;
    const sun = [0, 0, 0];
    toVector(lat, lon, sun);
    const day = cssOf(palette.landDay);
    const night = cssOf(palette.landNight);
    const chosen = cssOf(palette.chosen);
    pen.clearRect(0, 0, this.stage.width, this.stage.height);
    const size = Math.max(0.6, this.scale * 0.26);
    for (let dot = 0; dot < land.count; dot++) {
      const [x, y, z] = land.vectors.subarray(3 * dot, 3 * dot + 3) as unknown as [number, number, number];
      const north = Math.asin(y) / RADIANS;
      if (north > NORTH || north < SOUTH) continue;
      pen.fillStyle = land.country[dot] === this.chosen ? chosen : x * sun[0]! + y * sun[1]! + z * sun[2]! > 0 ? day : night;
      pen.beginPath();
      pen.arc(this.x(Math.atan2(x, z) / RADIANS), this.y(north), size, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  private frame(ms: number): void {
    this.owed += ms;
    if (this.owed < 1_000 / FPS) return;
    this.owed = 0;
    if (this.stage.now - this.groundAt > GROUND_MS) this.drawGround();
    this.draw();
  }

  private draw(): void {
    const { pen, stage } = this;
    pen.globalCompositeOperation = 'source-over';
    pen.clearRect(0, 0, stage.width, stage.height);
    pen.drawImage(this.ground, 0, 0, stage.width, stage.height);
    pen.globalCompositeOperation = this.palette.light ? 'source-over' : 'lighter';
    for (const slot of this.slots) this.drawSlot(slot);
    pen.globalAlpha = 1;
  }

  private drawSlot(slot: Slot): void {
    const { pen } = this;
    const age = this.stage.now - slot.start;
    if (age < 0 || age > LIFE_MS) return;
    pen.strokeStyle = this.tones[slot.tone] ?? '#888';
    const x1 = this.x(slot.x1);
    const y1 = this.y(slot.y1);
    const x2 = this.x(slot.x2);
    const y2 = this.y(slot.y2);
    const lift = Math.min(0.22 * Math.hypot(x2 - x1, y2 - y1), 60);
    const p = Math.min(1, age / (FLIGHT_MS * 0.8));
    const head = p * p * (3 - 2 * p);
    const tail = Math.max(0, head - 0.3);
    pen.lineWidth = slot.width;
    // Three pieces, brighter towards the head.
    for (let i = 0; i < 3 && p < 1; i++) {
      const a = tail + ((head - tail) * i) / 3;
      const b = tail + ((head - tail) * (i + 1)) / 3;
      pen.globalAlpha = 0.2 + 0.3 * i;
      pen.beginPath();
      pen.moveTo(x1 + (x2 - x1) * a, y1 + (y2 - y1) * a - lift * 4 * a * (1 - a));
      pen.lineTo(x1 + (x2 - x1) * b, y1 + (y2 - y1) * b - lift * 4 * b * (1 - b));
      pen.stroke();
    }
    const q = (age - FLIGHT_MS * 0.78) / LANDING_MS;
    if (q < 0 || q > 1) return;
    pen.globalAlpha = (1 - q) * 0.8;
    pen.beginPath();
    pen.arc(x2, y2, (2 + 7 * q) * (slot.flight ? 1 : 3), 0, 2 * Math.PI);
    pen.stroke();
  }
}
