/**
 * The globe. `openGlobe` draws it in three dimensions where the browser has
 * WebGL 2, and as a flat map where it has not, or is too slow at it.
 */
import { bits, points } from 'virtual:land';
import { FlatMap } from './flat.ts';
import { Ball } from './ball.ts';
import { landDots } from './sphere.ts';

/** Orders to show; the records of the topic shipments hold them in this form. */
export interface Flight {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly n: number;
}

/** How the globe is to be. */
export interface Options {
  /** Arcs in flight at a time, at most. */
  readonly arcs: number;
  /** What the globe, and what the map is, in words. */
  readonly labels: { readonly globe: string; readonly flat: string };
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
}

/** A globe or a map in its host. */
export interface Globe {
  /** Shows orders over the next `spread` milliseconds; returns how many orders were taken. */
  show(flights: readonly Flight[], spread: number): number;
  pause(on: boolean): void;
  dispose(): void;
}

/** Puts a globe into `host`, which gives it its size. */
export function openGlobe(host: HTMLElement, options: Options): Globe {
  return new Switch(host, options);
}

/** Starts with the ball and goes over to the map when it has to. */
class Switch implements Globe {
  private readonly dots = landDots(points, bits);
  private shown: Globe;
  private paused = false;

  constructor(private readonly host: HTMLElement, private readonly options: Options) {
    this.shown = this.open();
  }

  private open(): Globe {
    if (!this.options.flat) {
      try {
        const ball = new Ball(this.host, this.dots, this.options, () => this.flatten());
        this.options.changed('globe');
        return ball;
      } catch {
        // No WebGL 2 here: the map below needs none.
      }
    }
    this.options.changed('flat');
    return new FlatMap(this.host, this.dots, this.options);
  }

  private flatten(): void {
    this.shown.dispose();
    this.shown = new FlatMap(this.host, this.dots, this.options);
    this.shown.pause(this.paused);
    this.options.changed('flat');
  }

  show(flights: readonly Flight[], spread: number): number {
    return this.shown.show(flights, spread);
  }

  pause(on: boolean): void {
    this.paused = on;
    this.shown.pause(on);
  }

  dispose(): void {
    this.shown.dispose();
  }
}
