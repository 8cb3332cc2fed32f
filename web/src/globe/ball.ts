import { Orbit } from './camera.ts';
import { handle } from './hand.ts';
import type { Flight, Globe, Options } from './index.ts';
import { Quality } from './quality.ts';
import { Pace } from './pace.ts';
import { ArcRing, LIFE_MS } from './ring.ts';
import { View } from './scene.ts';
import type { LatLon } from './sphere.ts';
import { Stage } from './stage.ts';

/** A slot stays taken a little longer than its arc is seen: starts are spread over a batch. */
const SLACK_MS = 120;

/** How often the sun is moved, in milliseconds. */
const SUN_MS = 60_000;

/** The globe in three dimensions. Throws where there is no WebGL 2. */
export class Ball implements Globe {
  private readonly stage: Stage;
  private readonly orbit: Orbit;
  private readonly ring: ArcRing;
  private readonly pace = new Pace(0);
  private readonly view: View;
  private readonly quality: Quality;
  private readonly letGo: () => void;
  private sunAt = -Infinity;
  private owed = 0;

  constructor(host: HTMLElement, dots: readonly LatLon[], private readonly options: Options, private readonly hopeless: () => void) {
    this.orbit = new Orbit(options.lon, options.still);
    this.ring = new ArcRing(options.arcs);
    this.quality = new Quality(options.steady ? 0 : 1);
    this.stage = new Stage(host, (ms) => this.frame(ms), () => this.fit());
    const { canvas } = this.stage;
    try {
      this.view = new View(canvas, this.ring, dots);
    } catch (error) {
      this.stage.dispose();
      throw error;
    }
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', options.labels.globe);
    this.letGo = handle(canvas, this.orbit);
    this.fit();
    this.stage.start();
  }

  show(flights: readonly Flight[], spread: number): number {
    if (!this.stage.running) return 0;
    const { now } = this.stage;
    let orders = 0;
    this.pace.sample(this.pace.take(flights.length, now), flights.length, (i) => {
      const { from, to, n } = flights[i]!;
      const start = now + (spread * i) / flights.length;
      if (this.ring.add(from[0], from[1], to[0], to[1], n, start, now)) orders += n;
    });
    return orders;
  }

  pause(on: boolean): void {
    this.quality.reset();
    this.stage.pause(on);
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
    this.view.draw(this.orbit, now);
    this.stage.canvas.dataset['draws'] = String(this.view.draws);
    if (!this.options.steady) this.measure(this.owed);
    this.owed = 0;
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
