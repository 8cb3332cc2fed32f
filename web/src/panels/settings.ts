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
  /** Begins in kiosk mode. */
  readonly kiosk: boolean;
  /** The longitude that the globe shows first. */
  readonly lon: number;
  /** The figure of the embed; the first of the page's unless given. */
  readonly figure?: Figure;
  /** A country's code to begin with. */
  readonly country?: string;
  readonly language?: string;
  readonly theme?: 'dark' | 'light';
  /** Direction of the layout, whatever the language: for tests. */
  readonly dir?: 'ltr' | 'rtl';
}

/** Reads the settings from a query such as `?test=1&lon=-30`. */
export function readSettings(search: string, reducedMotion: boolean, zoneMinutes: number): Settings {
  const query = new URLSearchParams(search);
  const on = (name: string) => query.get(name) === '1';
  const one = <K extends string, T extends string>(name: K, ...of: readonly T[]) => {
    const found = of.find((o) => o === query.get(name));
    return (found === undefined ? {} : { [name]: found }) as { readonly [P in K]?: T };
  };
  const lon = Number(query.get('lon') ?? NaN);
  const country = query.get('country')?.toUpperCase();
  const language = query.get('lang');
  return {
    test: on('test'),
    still: on('test') || reducedMotion,
    steady: on('steady'),
    flat: on('flat'),
    kiosk: on('kiosk'),
    // East of the person's own meridian by what an ocean is wide to the west of it.
    lon: Number.isFinite(lon) ? lon : -zoneMinutes / 4,
    ...one('figure', ...FIGURES),
    ...one('theme', 'dark', 'light'),
    ...one('dir', 'ltr', 'rtl'),
    ...(country !== undefined && /^[A-Z]{2}$/.test(country) && { country }),
    ...(language !== null && { language }),
  };
}

/** The settings of this page. */
export const settings = readSettings(
  location.search,
  matchMedia('(prefers-reduced-motion: reduce)').matches,
  new Date().getTimezoneOffset(),
);
