import { describe, expect, it } from 'vitest';
import { Format } from '../../src/panels/format.ts';

const us = new Format('en-US');
const text = ({ number, unit }: { number: string; unit: string }) => (unit ? `${number} ${unit}` : number);

describe('format', () => {
  it.each([
    ['USD', 38_531, '$385.31'],
    ['USD', 5, '$0.05'],
    ['USD', 0, '$0.00'],
    ['USD', 99_999, '$999.99'],
    ['USD', 102_326_099, '$1,023,261'],
    ['JPY', 1_672, '¥1,672'],
    ['KWD', 12_345, 'KWD 12.345'],
    ['USD', 164_000_000_00, '$164.0M'],
    ['not a currency', 500, '¤5.00'],
  ])('writes %s %i as %s', (currency, minor, want) => {
    expect(us.money(minor, currency).replaceAll('\u00a0', ' ')).toBe(want);
  });

  it('writes figures in their units', () => {
    expect(text(us.figure('orders', 17_169, 'USD'))).toBe('17,169');
    expect(text(us.figure('orders', 123_456_789, 'USD'))).toBe('123.46M');
    expect(text(us.figure('distance_m', 58_930_095_400, 'USD'))).toBe('36,617,464 mi');
    expect(text(us.figure('distance_m', 12_340, 'USD'))).toBe('7.7 mi');
    expect(text(us.figure('carbon_g', 940, 'USD'))).toBe('0.9 kg');
    expect(text(us.figure('carbon_g', 4_153_210, 'USD'))).toBe('4,153 kg');
    expect(text(us.figure('carbon_g', 12_345_678, 'USD'))).toBe('12.35 t');
  });

  it('writes what no language has words for as powers of ten', () => {
    expect(text(us.figure('orders', 9_007_199_254_740_991, 'USD'))).toBe('9007.2T');
    expect(text(us.figure('carbon_g', 1.7e308, 'USD'))).toBe('1.7E302 t');
    expect(us.brief('sales', 9.2e20, 'USD')).toBe('$9.20E18');
    expect(us.brief('orders', 1e21, 'USD')).toBe('1E21');
  });

  it('keeps the unit of the goal on the way to it', () => {
    expect(text(us.figure('carbon_g', 9_000_000, 'USD', 11_000_000))).toBe('9.00 t');
    expect(text(us.figure('sales', 99_900, 'USD', 200_000))).toBe('$999');
  });

  it('tells distances in the unit of the region, or the one that was chosen', () => {
    const far = (locale: string, units?: 'metric' | 'imperial') => text(new Format(locale, units && { units }).figure('distance_m', 58_930_095_400, 'USD'));
    expect(far('de-DE')).toBe('58.930.095 km');
    expect(far('en')).toBe('58,930,095 km');
    expect(far('en-GB')).toBe('36,617,464 mi');
    expect(far('en-US', 'metric')).toBe('58,930,095 km');
    expect(far('ja-JP', 'imperial')).toMatch(/^36,617,464 /);
    expect(new Format('de').bounds).toEqual([2_000_000, 8_000_000]);
    expect(new Format('en-US').bounds.map((metres) => us.distance(metres).number)).toEqual(['1,250', '5,000']);
  });

  it('follows the locale', () => {
    expect(new Format('de').money(102_326_099, 'EUR').replaceAll('\u00a0', ' ')).toBe('1.023.261 €');
    expect(new Format('de').change(31)).toMatch(/^31\s%$/);
  });
});
