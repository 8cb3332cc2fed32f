import { cssOf, DARK, LIGHT, rgbOf, type Palette, type Rgb } from '../globe/palette.ts';
import type { Colour, PageConfig } from './config.ts';
import { settings } from './settings.ts';

/** Where the person's own choice is kept. */
const KEPT = 'livemap theme';

/** Colours that a shop sets, as properties of CSS. */
const PROPERTIES: Partial<Record<Colour, string>> = { accent: '--cyan', background: '--ground' };

/** Dark or light: the address says, or the person did, or the shop, or the system. */
export class Theme {
  name = $state.raw<'dark' | 'light'>('dark');
  private readonly system = matchMedia('(prefers-color-scheme: light)');

  constructor(private readonly config: PageConfig) {
    const own = config.theme === 'auto' ? (this.system.matches ? 'light' : 'dark') : config.theme;
    this.name = settings.theme ?? remembered() ?? own;
    this.apply();
    this.system.addEventListener('change', () => {
      if (config.theme === 'auto' && !settings.theme && !remembered()) this.set(this.system.matches ? 'light' : 'dark');
    });
  }

  toggle(): void {
    this.set(this.name === 'dark' ? 'light' : 'dark');
    try {
      localStorage.setItem(KEPT, this.name);
    } catch {
      // Nothing may be kept here: it holds until the page is closed.
    }
  }

  /** The colours of the globe. */
  get palette(): Palette {
    const base = this.name === 'light' ? LIGHT : DARK;
    const own = (colour: Colour, otherwise: Rgb) => rgbOf(this.config.colours[colour] ?? '') ?? otherwise;
    const landDay = own('land', base.landDay);
    return {
      ...base,
      landDay,
      landNight: this.config.colours.land ? (landDay.map((v) => v * (base.light ? 0.7 : 0.42)) as unknown as Rgb) : base.landNight,
      chosen: own('accent', base.chosen),
      tones: [own('near', base.tones[0]), own('middle', base.tones[1]), own('far', base.tones[2])],
    };
  }

  private set(name: 'dark' | 'light'): void {
    this.name = name;
    this.apply();
  }

  private apply(): void {
    const root = document.documentElement;
    root.dataset['theme'] = this.name;
    // A shop's colours are for the theme that it chose; the other one stays as it is.
    const mine = this.config.theme === 'auto' || this.config.theme === this.name;
    for (const [colour, property] of Object.entries(PROPERTIES)) {
      const value = this.config.colours[colour as Colour];
      if (value && mine) root.style.setProperty(property, value);
      else root.style.removeProperty(property);
    }
    this.palette.tones.forEach((tone, i) => root.style.setProperty(['--near', '--middle', '--far'][i]!, cssOf(tone)));
    const ground = getComputedStyle(root).getPropertyValue('--ground').trim();
    document.querySelector('meta[name="theme-color"]')?.setAttribute('content', ground);
    document.querySelector('meta[name="color-scheme"]')?.setAttribute('content', this.name);
  }
}

function remembered(): 'dark' | 'light' | undefined {
  try {
    const kept = localStorage.getItem(KEPT);
    return kept === 'dark' || kept === 'light' ? kept : undefined;
  } catch {
    return undefined;
  }
}
