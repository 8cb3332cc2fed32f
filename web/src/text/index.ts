/** Texts of the page in the language of its reader. Start at `loadTexts` and `t`. */
import { en } from './en.ts';

/** A name of a text. */
export type TextKey = keyof typeof en;

/** A text, or one for each plural form of its language; `other` is always there. */
export type Text = string | (Partial<Record<Intl.LDMLPluralRule, string>> & { readonly other: string });

/** A whole language. */
export type Catalogue = Readonly<Record<TextKey, Text>>;

/** Languages by their subtag, each fetched only when somebody reads it. */
const catalogues: Readonly<Record<string, () => Promise<Catalogue>>> = {
  en: () => Promise.resolve(en),
  fr: () => import('./fr.ts').then((m) => m.fr),
  de: () => import('./de.ts').then((m) => m.de),
  ja: () => import('./ja.ts').then((m) => m.ja),
  zh: () => import('./zh.ts').then((m) => m.zh),
  es: () => import('./es.ts').then((m) => m.es),
  pt: () => import('./pt.ts').then((m) => m.pt),
};

/** Languages that there are texts in. */
export const LANGUAGES: readonly string[] = Object.keys(catalogues);

/** Values of a text. `count` chooses the plural form. */
export type Values = Readonly<Record<string, string | number>>;

/** Texts of one language. */
export class Texts {
  private readonly plurals: Intl.PluralRules;

  constructor(private readonly catalogue: Catalogue, readonly locale: string) {
    this.plurals = new Intl.PluralRules(locale);
  }

  get(key: TextKey, values: Values = {}): string {
    const text = this.catalogue[key];
    const form = typeof text === 'string' ? text : (text[this.plurals.select(Number(values['count'] ?? 0))] ?? text.other);
    return form.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
  }
}

/** The first of the wanted languages that there is, in full (`de-CH`), and its subtag. */
export function choose(wanted: readonly string[]): { readonly locale: string; readonly language: string } {
  for (const locale of wanted) {
    const language = locale.toLowerCase().split(/[-_]/)[0]!;
    if (Object.hasOwn(catalogues, language) && Intl.NumberFormat.supportedLocalesOf(safe(locale)).length > 0) return { locale, language };
  }
  return { locale: 'en', language: 'en' };
}

function safe(locale: string): string[] {
  try {
    return Intl.getCanonicalLocales(locale);
  } catch {
    return [];
  }
}

/** Fetches the catalogue of the first wanted language that there is. Where it cannot be had, English stands in. */
export async function textsFor(wanted: readonly string[]): Promise<Texts> {
  const { locale, language } = choose(wanted);
  const catalogue = await catalogues[language]!().catch(() => undefined);
  return catalogue ? new Texts(catalogue, locale) : new Texts(en, 'en');
}

let texts = new Texts(en, 'en');

/** Makes these the texts of the page. To be called before anything is shown. */
export function useTexts(chosen: Texts): void {
  texts = chosen;
}

/** The locale of the page's texts and numbers. */
export function locale(): string {
  return texts.locale;
}

/** A text in the language of the page. */
export function t(key: TextKey, values?: Values): string {
  return texts.get(key, values);
}
