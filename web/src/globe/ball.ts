import { Orbit } from './camera.ts';
import type { Places } from './cities.ts';
import { handle } from './hand.ts';
import type { Flight, Globe, Hit, Options } from './index.ts';
import type { Extent, Land } from './land.ts';
import { Pace } from './pace.ts';
import type { Palette } from './palette.ts';
import { arcAt, Sight } from './pick.ts';
import { Quality } from './quality.ts';
import { ArcRing, LIFE_MS } from './ring.ts';
import { View } from './scene.ts';
import { Stage } from './stage.ts';

/** A slot stays taken a little longer than its arc is seen: starts are spread over a batch. */
const SLACK_MS = 120;

/** How often the sun is moved, in milliseconds. */
const SUN_MS = 60_000;

/** How often is looked what the pointer is on, in milliseconds of the globe's clock. */
const LOOK_MS = 60;

/** The weight of an order that the rings take for a beacon; see rings in shaders.ts. */
const BEACON = 65_000;

/** The globe in three dimensions. Throws where there is no WebGL 2. */
export class Ball implements Globe {
  private readonly stage: Stage;
  private readonly orbit: Orbit;
  private readonly ring: ArcRing<Flight>;
  private readonly pace = new Pace(0);
  private readonly view: View;
  private readonly quality: Quality;
  private readonly sight: Sight;
  private readonly letGo: () => void;
  private places: Places | undefined;
  private chosen = -1;
  private sunAt = -Infinity;
  private owed = 0;
  private pointer: { readonly x: number; readonly y: number } | undefined;
  private lookedAt = 0;
  private on: Hit | undefined;

  constructor(host: HTMLElement, private readonly land: Land, private readonly options: Options, private readonly hopeless: () => void) {
    this.orbit = new Orbit(options.lon, options.still);
    this.ring = new ArcRing<Flight>(options.arcs, options.tones);
    this.quality = new Quality(options.steady ? 0 : 1);
    this.stage = new Stage(host, (ms) => this.frame(ms), () => this.fit());
    const { canvas } = this.stage;
    this.sight = new Sight(this.orbit, 1, 1);
    try {
      this.view = new View(canvas, this.ring, land);
    } catch (error) {
      this.stage.dispose();
      throw error;
    }
    this.view.paint(options.palette);
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', options.labels.globe);
    this.letGo = handle(canvas, this.orbit, {
      hover: (x, y) => (this.pointer = { x, y }),
      leave: () => this.look((this.pointer = undefined)),
      click: (x, y) => options.click(this.hitAt(x, y, 1.6)?.hit),
    });
    this.fit();
    this.stage.start();
  }

  show(flights: readonly Flight[], spread: number): number {
    if (!this.stage.running) return 0;
    const { now } = this.stage;
    let orders = 0;
    this.pace.sample(this.pace.take(flights.length, now), flights.length, (i) => {
      const flight = flights[i]!;
      const { from, to, n } = flight;
      const start = now + (spread * i) / flights.length;
      if (this.ring.add(from[0], from[1], to[0], to[1], n, start, now, flight)) orders += n;
    });
    return orders;
  }

  pause(on: boolean): void {
    this.quality.reset();
    this.stage.pause(on);
  }

  paint(palette: Palette): void {
    this.view.paint(palette);
    if (!this.stage.running) this.redraw();
  }

  /** Lights the cities. */
  light(places: Places): void {
    this.places = places;
    this.view.light(places.cities);
  }

  choose(code: string | undefined): void {
    this.chosen = this.land.indexOf(code);
    this.view.mark(this.chosen, -1);
    const there = code === undefined ? undefined : (this.land.extent(code) ?? this.cityOf(code));
    if (there) this.orbit.flyTo(there.lat, there.lon, closeness(there));
    else if (code === undefined) this.orbit.roam();
  }

  private cityOf(code: string): Extent | undefined {
    const city = this.places?.largestOf(code);
    return city && { lat: city.lat, lon: city.lon, reach: 6 };
  }

  turn(lon: number, lat: number): void {
    this.orbit.drag(lon, lat, 1, performance.now());
  }

  zoom(factor: number): void {
    this.orbit.zoom(factor, performance.now());
  }

  beacon(lat: number, lon: number): void {
    const { now } = this.stage;
    for (let i = 0; i < 4; i++) this.ring.add(lat, lon, lat, lon, BEACON, now + i * 320, now);
  }

  picture(): HTMLCanvasElement {
    this.redraw();
    return this.stage.canvas;
  }

  dispose(): void {
    this.letGo();
    this.stage.dispose();
    this.view.dispose();
  }

  private fit(): void {
    const ratio = Math.min(devicePixelRatio, this.quality.current.ratio);
    this.ring.limit = Math.round(this.options.arcs * this.quality.current.arcs);
    this.pace.perMs = this.ring.limit / (LIFE_MS + SLACK_MS);
    this.view.resize(this.stage.width, this.stage.height, ratio, this.orbit);
    this.sight.width = this.stage.width;
    this.sight.height = this.stage.height;
    this.redraw();
  }

  private redraw(): void {
    this.orbit.step(0, performance.now());
    this.view.draw(this.orbit, this.stage.now);
  }

  private frame(ms: number): void {
    const { now } = this.stage;
    this.owed += ms;
    if (this.owed < 1_000 / this.quality.current.fps - 2) return;
    const seconds = Math.min(this.owed, 250) / 1_000;
    if (Date.now() - this.sunAt > SUN_MS) {
      this.sunAt = Date.now();
      this.view.sunAt(this.sunAt);
    }
    this.orbit.step(seconds, performance.now());
    if (this.pointer && now - this.lookedAt > LOOK_MS) this.look(this.pointer);
    this.view.draw(this.orbit, now);
    const { canvas } = this.stage;
    canvas.dataset['draws'] = String(this.view.draws);
    canvas.classList.toggle('near', this.orbit.nearness > 1.03);
    if (!this.options.steady) this.measure(this.owed);
    this.owed = 0;
  }

  /** Finds what the pointer is on, marks it, and tells when it is something else. */
  private look(pointer: { readonly x: number; readonly y: number } | undefined): void {
    this.lookedAt = this.stage.now;
    const found = pointer && this.hitAt(pointer.x, pointer.y, 1);
    const slot = found?.slot ?? -1;
    this.ring.hold(slot);
    this.view.pick(slot);
    this.view.mark(this.chosen, found?.hit.kind === 'country' ? this.land.indexOf(found.hit.code) : -1);
    if (same(found?.hit, this.on)) return;
    this.on = found?.hit;
    this.options.hover(this.on);
  }

  /** What is at a place of the canvas; `reach` widens what counts as near. An arc that is held stays. */
  private hitAt(x: number, y: number, reach: number): { readonly hit: Hit; readonly slot: number } | undefined {
    const slot = arcAt(this.ring, this.sight, x, y, this.stage.now, reach);
    const flight = slot < 0 ? undefined : this.ring.shown[slot];
    if (flight) return { hit: { kind: 'flight', flight, x, y }, slot };
    const ground = this.sight.groundAt(x, y);
    const code = ground && this.land.countryAt(...ground);
    return code === undefined ? undefined : { hit: { kind: 'country', code, x, y }, slot: -1 };
  }

  private measure(ms: number): void {
    // A frame of more than a second is a sleeping tab or a busy machine, not the globe.
    if (ms > 1_000) {
      this.quality.reset();
      return;
    }
    const verdict = this.quality.frame(performance.now(), ms);
    if (verdict === 'hopeless') this.hopeless();
    else if (verdict !== 'stay') this.fit();
  }
}

/** How near to come to a country: a small one nearer, but so that the globe is still one. */
function closeness({ reach }: Extent): number {
  return Math.min(1.45, Math.max(1.1, 0.3 / Math.sin((Math.max(reach, 5) * Math.PI) / 180)));
}

function same(a: Hit | undefined, b: Hit | undefined): boolean {
  if (a?.kind === 'flight' && b?.kind === 'flight') return a.flight === b.flight;
  if (a?.kind === 'country' && b?.kind === 'country') return a.code === b.code;
  return a === b;
}
