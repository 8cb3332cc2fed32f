import type { History, Window } from '../client/records.ts';

/** Something that is worth a line of its own. */
export type Moment =
  /** The first order to a country on this day, or since the totals began. */
  | { readonly kind: 'first'; readonly country: string; readonly since?: string }
  /** More in a minute than in any before. */
  | { readonly kind: 'record'; readonly figure: 'orders' | 'sales'; readonly value: number; readonly currency: string }
  /** A round number of the totals has been reached. */
  | { readonly kind: 'milestone'; readonly figure: 'orders' | 'sales'; readonly value: number; readonly currency: string; readonly since: string };

/** A record of a figure is told this far apart at least, in milliseconds. */
const RECORDS_APART_MS = 600_000;

/** Minutes with orders that a record needs behind it: at the start every minute is one. */
const MINUTES_BEFORE_RECORD = 10;

/** Milestones begin here: orders, and minor units of money. */
const SMALLEST = { orders: 1_000, sales: 1_000_000 } as const;

const WATCHED = ['orders', 'sales'] as const;

/** The highest of 1, 2 and 5 times a power of ten that is not above n; 0 below `smallest`. */
export function roundBelow(n: number, smallest: number): number {
  if (!(n >= smallest)) return 0;
  const power = 10 ** Math.floor(Math.log10(n));
  const step = n / power >= 5 ? 5 : n / power >= 2 ? 2 : 1;
  return step * power;
}

/** Finds records and milestones in the windows of one scope, in the order in which they come. */
export class Figures {
  private before: Window | undefined;
  private readonly toldAt = new Map<string, number>();

  /** What this window is the first to reach; `now` in milliseconds of any steady clock. */
  take(window: Window, history: History | undefined, now: number): Moment[] {
    const { before } = this;
    this.before = window;
    if (before === undefined || before.total.since !== window.total.since) return [];
    const found: Moment[] = [];
    for (const figure of WATCHED) {
      const reached = roundBelow(window.total[figure], SMALLEST[figure]);
      if (reached > roundBelow(before.total[figure], SMALLEST[figure]))
        found.push({ kind: 'milestone', figure, value: reached, currency: window.currency, since: window.total.since });
      if (this.isRecord(figure, window, before, history, now)) found.push({ kind: 'record', figure, value: window[figure], currency: window.currency });
    }
    return found;
  }

  private isRecord(figure: 'orders' | 'sales', window: Window, before: Window, history: History | undefined, now: number): boolean {
    const peak = history?.peak[figure]?.value;
    if (peak === undefined || window[figure] <= peak || before[figure] > peak) return false;
    if (history!.orders.filter((n) => n > 0).length < MINUTES_BEFORE_RECORD) return false;
    if (now - (this.toldAt.get(figure) ?? -Infinity) < RECORDS_APART_MS) return false;
    this.toldAt.set(figure, now);
    return true;
  }
}

/**
 * Knows which countries had an order today. A page that has been there since
 * midnight and saw every order knows it by itself; any other has to ask.
 */
export class FirstLight {
  private readonly seen = new Set<string>();
  private day = '';
  private whole = false;

  /** An order to a country on a day. Says whether it is the first: yes, no, or that the server has to be asked. */
  arrive(country: string, day: string): 'first' | 'seen' | 'ask' {
    this.turn(day);
    if (this.seen.has(country)) return 'seen';
    this.seen.add(country);
    return this.whole ? 'first' : 'ask';
  }

  /** Not every order was seen: a gap, a sample, a pause. */
  missed(): void {
    this.whole = false;
  }

  private turn(day: string): void {
    if (day === this.day) return;
    // Whoever was there yesterday without missing anything is there from the first second on.
    this.whole = this.day !== '';
    this.day = day;
    this.seen.clear();
  }
}

/** What a country's window says about its first order: everything in the totals lies in this minute. */
export function firstBy(country: string, window: Window, midnight: number): Moment | undefined {
  if (window.orders === 0 || window.total.orders !== window.orders) return undefined;
  const since = Date.parse(window.total.since);
  return since <= midnight ? { kind: 'first', country } : { kind: 'first', country, since: window.total.since };
}
