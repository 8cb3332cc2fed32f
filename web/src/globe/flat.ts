import type { Flight, Globe, Options } from './index.ts';
import { Pace } from './pace.ts';
import { FLIGHT_MS, LANDING_MS, LIFE_MS, toneOf } from './ring.ts';
import { distanceMetres, type LatLon } from './sphere.ts';
import { Stage } from './stage.ts';

const TONES = ['rgb(255 189 97)', 'rgb(84 219 255)', 'rgb(173 133 255)'] as const;

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
}

/** The world as a flat map on a plain canvas, for browsers without WebGL. */
export class FlatMap implements Globe {
  private readonly stage: Stage;
  private readonly pen: CanvasRenderingContext2D;
  private readonly ground = document.createElement('canvas');
  private readonly slots: Slot[];
  private readonly pace: Pace;
  private next = 0;
  private owed = 0;
  private scale = 1;
  private left = 0;
  private top = 0;

  constructor(host: HTMLElement, private readonly dots: readonly LatLon[], options: Options) {
    this.slots = Array.from({ length: Math.max(40, Math.round(options.arcs * SHARE)) }, () => ({
      x1: 0, y1: 0, x2: 0, y2: 0, tone: 0, width: 1, start: -LIFE_MS,
    }));
    this.pace = new Pace(this.slots.length / LIFE_MS);
    this.stage = new Stage(host, (ms) => this.frame(ms), () => this.fit());
    this.stage.canvas.setAttribute('role', 'img');
    this.stage.canvas.setAttribute('aria-label', options.labels.flat);
    this.pen = this.stage.canvas.getContext('2d')!;
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
      const { from, to, n } = flights[i]!;
      slot.x1 = from[1];
      slot.y1 = from[0];
      slot.x2 = to[1];
      slot.y2 = to[0];
      slot.tone = toneOf(distanceMetres(from[0], from[1], to[0], to[1]));
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

  dispose(): void {
    this.stage.dispose();
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
    pen.fillStyle = 'rgb(96 128 214 / 0.75)';
    const size = Math.max(0.55, this.scale * 0.27);
    for (const { lat, lon } of this.dots) {
      if (lat > NORTH || lat < SOUTH) continue;
      pen.beginPath();
      pen.arc(this.x(lon), this.y(lat), size, 0, 2 * Math.PI);
      pen.fill();
    }
  }

  private frame(ms: number): void {
    this.owed += ms;
    if (this.owed < 1_000 / FPS) return;
    this.owed = 0;
    this.draw();
  }

  private draw(): void {
    const { pen, stage } = this;
    pen.globalCompositeOperation = 'source-over';
    pen.clearRect(0, 0, stage.width, stage.height);
    pen.drawImage(this.ground, 0, 0, stage.width, stage.height);
    pen.globalCompositeOperation = 'lighter';
    for (const slot of this.slots) this.drawSlot(slot);
    pen.globalAlpha = 1;
  }

  private drawSlot(slot: Slot): void {
    const { pen } = this;
    const age = this.stage.now - slot.start;
    if (age < 0 || age > LIFE_MS) return;
    pen.strokeStyle = TONES[slot.tone] ?? TONES[1];
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
    pen.arc(x2, y2, 2 + 7 * q, 0, 2 * Math.PI);
    pen.stroke();
  }
}
