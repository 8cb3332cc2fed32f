import { FIGURES, type Figure } from '../client/records.ts';

/** What the page's address asks for. */
export interface Settings {
  /** Numbers exact at once, nothing moves by itself: for tests. */
  readonly test: boolean;
  /** No movement of its own: asked for by the person's system, or a test. */
  readonly still: boolean;
  /** Quality of the globe as high as can be, whatever it takes: for pictures. */
  readonly steady: boolean;
  /** The flat map in any case. */
  readonly flat: boolean;
  /** The longitude that the globe shows first. */
  readonly lon: number;
  /** The figure of the embed. */
  readonly figure: Figure;
}

/** Reads the settings from a query such as `?test=1&lon=-30`. */
export function readSettings(search: string, reducedMotion: boolean, zoneMinutes: number): Settings {
  const query = new URLSearchParams(search);
  const on = (name: string) => query.get(name) === '1';
  const lon = Number(query.get('lon') ?? NaN);
  const figure = query.get('figure');
  const test = on('test');
  return {
    test,
    still: test || reducedMotion,
    steady: on('steady'),
    flat: on('flat'),
    // East of the person's own meridian by what an ocean is wide to the west of it.
    lon: Number.isFinite(lon) ? lon : -zoneMinutes / 4,
    figure: FIGURES.find((f) => f === figure) ?? 'orders',
  };
}

/** The settings of this page. */
export const settings = readSettings(
  location.search,
  matchMedia('(prefers-reduced-motion: reduce)').matches,
  new Date().getTimezoneOffset(),
);
