import { en } from './en.ts';

/** A name of a text. */
export type TextKey = keyof typeof en;

/** A whole language. */
export type Catalogue = Readonly<Record<TextKey, string>>;

/** Languages by their subtag; the first is what others fall back to. */
const catalogues: Readonly<Record<string, Catalogue>> = { en };

/** Finds the catalogue for the first of the wanted languages that there is. */
export function catalogueFor(languages: readonly string[]): Catalogue {
  for (const language of languages) {
    const found = catalogues[language.toLowerCase().split('-')[0]!];
    if (found) return found;
  }
  return en;
}

/** Returns the function that gives a text, with `{name}` replaced by what is named. */
export function texts(catalogue: Catalogue): (key: TextKey, values?: Readonly<Record<string, string | number>>) => string {
  return (key, values = {}) => catalogue[key].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Texts in the language of this browser. */
export const t = texts(catalogueFor(typeof navigator === 'undefined' ? [] : navigator.languages));
