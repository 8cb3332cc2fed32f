/**
 * The globe. `openGlobe` draws it in three dimensions where the browser has
 * WebGL 2, and as a flat map where it has not, or is too slow at it.
 */
import { bits, codes, countries, points } from 'virtual:land';
import { FlatMap } from './flat.ts';
import { Ball } from './ball.ts';
import { loadPlaces } from './cities.ts';
import { Land } from './land.ts';
import type { Palette } from './palette.ts';
import type { ToneBounds } from './ring.ts';

export { loadPlaces, type City, type Places } from './cities.ts';

/** Orders to show; the records of the topic shipments hold them in this form. */
export interface Flight {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly n: number;
}

/** What a pointer is on: a flight, or a country; x and y are CSS pixels of the host. */
export type Hit =
  | { readonly kind: 'flight'; readonly flight: Flight; readonly x: number; readonly y: number }
  | { readonly kind: 'country'; readonly code: string; readonly x: number; readonly y: number };

/** How the globe is to be. */
export interface Options {
  /** Arcs in flight at a time, at most. */
  readonly arcs: number;
  /** Where the tones of arcs change, in metres. */
  readonly tones: ToneBounds;
  /** What the globe, and what the map is, in words. */
  readonly labels: { readonly globe: string; readonly flat: string };
  readonly palette: Palette;
  /** The longitude first looked at. */
  readonly lon: number;
  /** No rotation by itself: reduced motion, or a test. */
  readonly still: boolean;
  /** Draw the flat map in any case. */
  readonly flat: boolean;
  /** The quality does not follow the frame time: for pictures. */
  readonly steady: boolean;
  /** Called when what is drawn changes. */
  readonly changed: (mode: 'globe' | 'flat') => void;
  /** Called when the pointer comes to something else; undefined: to nothing. */
  readonly hover: (hit: Hit | undefined) => void;
  /** Called when something is clicked or tapped; undefined: nothing was there. */
  readonly click: (hit: Hit | undefined) => void;
}

/** A globe or a map in its host. */
export interface Globe {
  /** Shows orders over the next `spread` milliseconds; returns how many orders were taken. */
  show(flights: readonly Flight[], spread: number): number;
  pause(on: boolean): void;
  paint(palette: Palette): void;
  /** Marks a country and flies there; undefined: the whole world again. */
  choose(code: string | undefined): void;
  /** Turns by so many degrees, or comes nearer (factor over 1). */
  turn(lon: number, lat: number): void;
  zoom(factor: number): void;
  /** Rings that are seen from far, at a latitude and longitude. */
  beacon(lat: number, lon: number): void;
  /** Draws the present moment, and returns the canvas that holds it until the next frame. */
  picture(): HTMLCanvasElement;
  dispose(): void;
}

/** Puts a globe into `host`, which gives it its size. */
export function openGlobe(host: HTMLElement, options: Options): Globe {
  return new Switch(host, options);
}

/** Starts with the ball and goes over to the map when it has to. */
class Switch implements Globe {
  private readonly land = new Land(points, bits, codes.split(','), countries);
  private shown: Globe;
  private paused = false;
  private chosen: string | undefined;
  private palette: Palette;

  constructor(private readonly host: HTMLElement, private readonly options: Options) {
    this.palette = options.palette;
    this.shown = this.open();
    void loadPlaces().then((places) => {
      if (this.shown instanceof Ball) this.shown.light(places);
      if (this.chosen !== undefined) this.shown.choose(this.chosen);
    });
  }

  private open(): Globe {
    if (!this.options.flat) {
      try {
        const ball = new Ball(this.host, this.land, this.options, () => this.flatten());
        this.options.changed('globe');
        return ball;
      } catch {
        // No WebGL 2 here: the map below needs none.
      }
    }
    this.options.changed('flat');
    return new FlatMap(this.host, this.land, this.options);
  }

  private flatten(): void {
    this.shown.dispose();
    this.shown = new FlatMap(this.host, this.land, this.options);
    this.shown.paint(this.palette);
    this.shown.pause(this.paused);
    this.shown.choose(this.chosen);
    this.options.changed('flat');
  }

  show(flights: readonly Flight[], spread: number): number {
    return this.shown.show(flights, spread);
  }

  pause(on: boolean): void {
    this.paused = on;
    this.shown.pause(on);
  }

  paint(palette: Palette): void {
    this.palette = palette;
    this.shown.paint(palette);
  }

  choose(code: string | undefined): void {
    this.chosen = code;
    this.shown.choose(code);
  }

  turn(lon: number, lat: number): void {
    this.shown.turn(lon, lat);
  }

  zoom(factor: number): void {
    this.shown.zoom(factor);
  }

  beacon(lat: number, lon: number): void {
    this.shown.beacon(lat, lon);
  }

  picture(): HTMLCanvasElement {
    return this.shown.picture();
  }

  dispose(): void {
    this.shown.dispose();
  }
}
