import type { Figure } from '../client/records.ts';
import { t } from '../text/index.ts';
import type { PageConfig } from './config.ts';

/** What a shop may choose about numbers. */
export type Style = Partial<Pick<PageConfig, 'units' | 'currencyDisplay'>>;

/** A figure as it is written: the number, and a unit that stands beside it. */
export interface Written {
  readonly number: string;
  readonly unit: string;
}

/** From here on peaks and totals are shortened: they stand in narrow places. */
const LONG = 10_000;

/** From here on figures are shortened ("109.1M"): longer ones do not fit their column. */
const SHORTEN = 100_000_000;

/** From here on they are written as powers of ten. */
const WORDLESS = 1e17;

/**
 * Writes figures in a locale. Formatters are made once: making one costs more
 * than a thousand uses.
 */
export class Format {
  private readonly made = new Map<string, Intl.NumberFormat>();

  private readonly clock: Intl.DateTimeFormat;
  private readonly seconds: Intl.DateTimeFormat;
  private readonly calendar: Intl.DateTimeFormat;
  private readonly whole: Intl.DateTimeFormat;
  /** Metres of the unit of distances, and its name. */
  private readonly far: { readonly metres: number; readonly name: string };

  constructor(
    private readonly locale: string | undefined = undefined,
    private readonly style: Style = {},
  ) {
    const minute = { hour: '2-digit', minute: '2-digit' } as const;
    this.clock = new Intl.DateTimeFormat(locale, minute);
    this.seconds = new Intl.DateTimeFormat(locale, { ...minute, second: '2-digit' });
    this.calendar = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric', ...minute });
    this.whole = new Intl.DateTimeFormat(locale, { dateStyle: 'long', timeStyle: 'short' });
    const miles = style.units === 'imperial' || (style.units !== 'metric' && countsInMiles(locale));
    this.far = { metres: miles ? 1_609.344 : 1_000, name: this.unitName(miles ? 'mile' : 'kilometer') };
  }

  /** Where distances on the map change their colour, in metres: round numbers of the unit. */
  get bounds(): readonly [number, number] {
    return this.far.metres === 1_000 ? [2_000_000, 8_000_000] : [1_250 * this.far.metres, 5_000 * this.far.metres];
  }

  private unitName(unit: string): string {
    const parts = this.number(`unit ${unit}`, { style: 'unit', unit, unitDisplay: 'short' }).formatToParts(5_000);
    return parts.find((part) => part.type === 'unit')?.value ?? unit;
  }

  /**
   * Writes a figure. `basis` decides scale and precision, so that a number that
   * runs up to its goal does not change its unit on the way.
   */
  figure(figure: Figure, value: number, currency: string, basis = value): Written {
    switch (figure) {
      case 'sales':
        return { number: this.money(value, currency, basis), unit: '' };
      case 'orders':
      case 'shoppers':
        return { number: this.count(value, basis), unit: '' };
      case 'distance_m':
        return this.distance(value, basis);
      case 'carbon_g':
        return this.mass(value, basis);
    }
  }

  /** Writes minor units of a currency; whole units only from a thousand on. */
  money(minor: number, currency: string, basis = minor): string {
    const digits = this.exponent(currency);
    const unit = 10 ** digits;
    const size = Math.abs(basis / unit);
    const fraction = size >= 1_000 ? 0 : digits;
    const shorten = shortened(size);
    return this.number(`money ${currency} ${shorten?.notation} ${fraction}`, {
      style: 'currency',
      currency,
      currencyDisplay: this.style.currencyDisplay ?? 'narrowSymbol',
      ...(shorten ?? { minimumFractionDigits: fraction, maximumFractionDigits: fraction }),
    }).format(minor / unit);
  }

  count(value: number, basis = value, fraction = 0): string {
    const shorten = shortened(Math.abs(basis));
    return this.number(`count ${shorten?.notation} ${fraction}`, {
      ...(shorten ?? { minimumFractionDigits: fraction, maximumFractionDigits: fraction }),
    }).format(value);
  }

  /** Writes metres as kilometres or miles, whole ones from a hundred kilometres on. */
  distance(metres: number, basis = metres): Written {
    const { name, metres: unit } = this.far;
    return { number: this.count(metres / unit, basis / unit, basis < 100_000 ? 1 : 0), unit: name };
  }

  /** Writes grams as kilograms, from ten tonnes on as tonnes. */
  mass(grams: number, basis = grams): Written {
    if (basis >= 10_000_000) return { number: this.count(grams / 1e6, basis / 1e6, basis < 1e9 ? 2 : 0), unit: t('tonne') };
    return { number: this.count(grams / 1_000, basis / 1_000, basis < 100_000 ? 1 : 0), unit: t('kilogram') };
  }

  /** A figure in few characters, for peaks and totals. */
  brief(figure: Figure, value: number, currency: string): string {
    switch (figure) {
      case 'sales':
        if (Math.abs(value) < LONG * 10 ** this.exponent(currency)) return this.money(value, currency, Math.max(Math.abs(value), 1_000 * 10 ** this.exponent(currency)));
        return this.briefMoney(value / 10 ** this.exponent(currency), currency);
      case 'distance_m':
        return joined({ number: this.few(value / this.far.metres), unit: this.far.name });
      case 'carbon_g':
        return joined({ number: this.few(value / (value >= 1e6 ? 1e6 : 1_000), 1), unit: t(value >= 1e6 ? 'tonne' : 'kilogram') });
      default:
        return this.few(value);
    }
  }

  private briefMoney(units: number, currency: string): string {
    const shape = shortened(Math.abs(units)) ?? short;
    return this.number(`brief money ${currency} ${shape.notation}`, { style: 'currency', currency, currencyDisplay: this.style.currencyDisplay ?? 'narrowSymbol', ...shape }).format(units);
  }

  /** A number in few characters: shortened from ten thousand on. */
  private few(n: number, fraction = 0): string {
    if (Math.abs(n) < LONG) return this.count(n, n, n < 100 ? fraction : 0);
    const shape = shortened(Math.abs(n)) ?? short;
    return this.number(`brief ${shape.notation}`, shape).format(n);
  }

  /** A change in per cent, without its sign: an arrow stands beside it. */
  change(percent: number): string {
    return this.number('change', { style: 'percent', signDisplay: 'never', maximumFractionDigits: 0 }).format(percent / 100);
  }

  /** Hours and minutes by the clock of this machine. */
  time(iso: string): string {
    return this.clock.format(new Date(iso));
  }

  /** Hours, minutes and seconds. */
  timeOfDay(ms: number): string {
    return this.seconds.format(ms);
  }

  /** Day and time in full. */
  full(ms: number): string {
    return this.whole.format(ms);
  }

  /** A day where it is not today, and the time. */
  moment(iso: string, now: number): string {
    const then = new Date(iso);
    if (then.toDateString() === new Date(now).toDateString()) return this.time(iso);
    return this.calendar.format(then);
  }

  /** How many digits the minor unit of a currency has (ISO 4217; ECMA-402 CurrencyDigits). */
  exponent(currency: string): number {
    return this.number(`exponent ${currency}`, { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
  }

  private number(name: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
    let made = this.made.get(name);
    if (made === undefined) this.made.set(name, (made = safely(this.locale, options)));
    return made;
  }
}

const short: Intl.NumberFormatOptions = { notation: 'compact', minimumFractionDigits: 1, maximumFractionDigits: 2 };

/** Beyond what languages have words for a shortened number grows again. */
const powers: Intl.NumberFormatOptions = { notation: 'scientific', maximumFractionDigits: 2 };

/** How a number of this size is shortened; undefined: it is written whole. */
function shortened(size: number): Intl.NumberFormatOptions | undefined {
  return size >= WORDLESS ? powers : size >= SHORTEN ? short : undefined;
}

/** A formatter, also where a record names a currency that is not even shaped like one. */
function safely(locale: string | undefined, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  try {
    return new Intl.NumberFormat(locale, options);
  } catch {
    return new Intl.NumberFormat(locale, { ...options, currency: 'XXX' });
  }
}

/** A number and its unit in one text that does not break. */
export function joined({ number, unit }: Written): string {
  return unit ? `${number}\u00a0${unit}` : number;
}

/** Distances are told in miles in the United States, Britain, Liberia and Myanmar (CLDR, measurementData). */
function countsInMiles(locale: string | undefined): boolean {
  const region = new Intl.Locale(locale ?? Intl.NumberFormat().resolvedOptions().locale).region;
  return ['US', 'GB', 'LR', 'MM'].includes(region ?? '');
}

/** The formats of this page. */
export let format = new Format();

/** Makes these the formats of the page. To be called before anything is shown. */
export function useFormat(chosen: Format): void {
  format = chosen;
}
