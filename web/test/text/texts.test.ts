import { describe, expect, it } from 'vitest';
import { en } from '../../src/text/en.ts';
import { choose, LANGUAGES, Texts, textsFor, type Catalogue, type Text, type TextKey } from '../../src/text/index.ts';

const KEYS = Object.keys(en) as TextKey[];

/** Texts that stay as they are in some languages: units, names, signs. */
const SAME = new Set<TextKey>(['tonne', 'kilogram', 'seconds', 'minutes', 'hours', 'milliseconds', 'flatShort', 'totalCarbon', 'live', 'perMinuteShort', 'units', 'pause']);

async function catalogueOf(language: string): Promise<Catalogue> {
  const module = (await import(`../../src/text/${language}.ts`)) as Record<string, Catalogue>;
  return module[language]!;
}

const forms = (text: Text) => (typeof text === 'string' ? [text] : Object.values(text));
const named = (text: Text) => forms(text).map((form) => [...form.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort().join());

describe.each(LANGUAGES)('catalogue %s', (language) => {
  it('has every text, with the values of the English one', async () => {
    const catalogue = await catalogueOf(language);
    expect(Object.keys(catalogue).sort()).toEqual([...KEYS].sort());
    for (const key of KEYS) {
      expect(forms(catalogue[key]).every((form) => form.trim() !== ''), key).toBe(true);
      expect(new Set(named(catalogue[key])), key).toEqual(new Set(named(en[key])));
    }
  });

  it('is translated', async () => {
    if (language === 'en') return;
    const catalogue = await catalogueOf(language);
    const left = KEYS.filter((key) => !SAME.has(key) && JSON.stringify(catalogue[key]) === JSON.stringify(en[key]));
    expect(left).toEqual([]);
  });

  it('has the plural forms that its language needs', async () => {
    const catalogue = await catalogueOf(language);
    const needed = new Intl.PluralRules(language).resolvedOptions().pluralCategories.filter((form) => form !== 'many');
    for (const key of KEYS) {
      const text = catalogue[key];
      if (typeof text !== 'string') expect(Object.keys(text).sort(), key).toEqual([...needed].sort());
    }
  });
});

describe('texts', () => {
  const texts = new Texts(en, 'en');

  it('fills in values and leaves markup as text', () => {
    expect(texts.get('sampling', { shown: '1', of: '<b>' })).toBe('Showing 1 of <b> orders in the last minute');
    expect(texts.get('rankUp')).toBe('up {n}');
  });

  it('chooses the plural form', () => {
    expect(texts.get('orderCount', { n: '1', count: 1 })).toBe('1 order');
    expect(texts.get('orderCount', { n: '0', count: 0 })).toBe('0 orders');
  });

  it('takes the first language that there is, whole, and English where there is none', () => {
    expect(choose(['xx-YY', 'pt-BR', 'de'])).toEqual({ locale: 'pt-BR', language: 'pt' });
    expect(choose(['toString', '', '-', 'not a tag'])).toEqual({ locale: 'en', language: 'en' });
    expect(choose([])).toEqual({ locale: 'en', language: 'en' });
  });

  it('fetches a language', async () => {
    expect((await textsFor(['de-CH'])).get('orders')).toBe('Bestellungen');
  });
});
