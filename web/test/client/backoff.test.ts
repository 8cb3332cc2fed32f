import { describe, expect, it } from 'vitest';
import { BACKOFF, Backoff, retryAfterMs } from '../../src/client/backoff.ts';

describe('back-off', () => {
  it('draws below a bound that doubles, up to the cap', () => {
    const b = new Backoff(() => 0.999999);
    const waits = Array.from({ length: 8 }, () => b.next());
    expect(waits.slice(0, 4)).toEqual([999, 1_999, 3_999, 7_999]);
    expect(waits.at(-1)).toBe(BACKOFF.cap - 1);
  });

  it('never comes back at once after a failure', () => {
    const b = new Backoff(() => 0);
    expect(b.next()).toBe(BACKOFF.floor);
  });

  it('starts again from the bottom after a success', () => {
    const b = new Backoff(() => 0.5);
    b.next();
    b.next();
    b.succeeded();
    expect(b.next()).toBe(500);
  });

  it('takes the retry field as its base, and as the wait after a goodbye', () => {
    const b = new Backoff(() => 0.5);
    b.retry(3_000);
    expect(b.next()).toBe(1_500);
    b.name();
    expect(b.next()).toBe(3_000);
    b.after(7_000); // at the earliest, and not all at once
    expect(b.next()).toBe(7_000 + 6_000);
    expect(b.next()).toBe(12_000);
  });

  it('ignores a retry field that is none', () => {
    const b = new Backoff(() => 0.5);
    b.retry(NaN);
    b.retry(-1);
    expect(b.next()).toBe(500);
  });

  it('reads Retry-After in both forms', () => {
    const now = Date.parse('2026-11-27T00:00:00Z');
    expect(retryAfterMs('3', now)).toBe(3_000);
    expect(retryAfterMs('Fri, 27 Nov 2026 00:00:10 GMT', now)).toBe(10_000);
    expect(retryAfterMs('soon', now)).toBeUndefined();
    expect(retryAfterMs(null, now)).toBeUndefined();
    expect(retryAfterMs('99999999', now)).toBe(600_000);
  });
});
