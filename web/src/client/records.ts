/**
 * The records that a livemap server sends, as package feed defines them (see
 * docs/format). Money is in minor units of `currency`, distance in metres,
 * carbon in grams of CO2 equivalent, times are RFC 3339 in UTC.
 */

/** The totals of all orders with since <= at < window_end. */
export interface Total {
  readonly since: string;
  readonly orders: number;
  readonly sales: number;
  readonly distance_m: number;
  readonly carbon_g: number;
}

/** Topics `metrics` and `windows`: the minute that ends at window_end. */
export interface Window {
  readonly v: number;
  readonly scope: string;
  readonly window_end: string;
  readonly revision?: number;
  readonly orders: number;
  readonly sales: number;
  readonly currency: string;
  readonly shoppers: number;
  readonly distance_m: number;
  readonly carbon_g: number;
  readonly final: boolean;
  readonly total: Total;
  readonly emitted_at: string;
}

/** The names of the five figures, the same in all records. */
export const FIGURES = ['sales', 'orders', 'shoppers', 'distance_m', 'carbon_g'] as const;

/** One of the five figures. */
export type Figure = (typeof FIGURES)[number];

/** A figure's highest final window, and its end. */
export interface Peak {
  readonly value: number;
  readonly window_end: string;
}

/** Topic `history`: the last sixty whole minutes of each figure, oldest first. */
export interface History extends Readonly<Record<Figure, readonly number[]>> {
  readonly v: number;
  readonly scope: string;
  readonly window_end: string;
  readonly currency: string;
  readonly peak: Readonly<Record<Figure, Peak>>;
  readonly emitted_at: string;
}

/** One product that trends: score compares the last five minutes with the last hour. */
export interface TrendingItem {
  readonly rank: number;
  readonly product: string;
  readonly title: string;
  readonly category: string;
  readonly units: number;
  readonly score: number;
  readonly change: number;
}

/** Topic `trending`: at most ten products, highest score first. */
export interface Trending {
  readonly v: number;
  readonly scope: string;
  readonly window_end: string;
  readonly final: boolean;
  readonly items: readonly TrendingItem[];
  readonly emitted_at: string;
}

/** n orders between two places, [latitude, longitude] in degrees. */
export interface Arc {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly n: number;
}

/** One order as the page lists it; from and to are cities. */
export interface Latest {
  readonly at: string;
  readonly title: string;
  readonly amount: number;
  readonly currency: string;
  readonly from: string;
  readonly to: string;
}

/** Topic `shipments`: what was accepted since the batch before; shown of `of` orders are in arcs. */
export interface Shipments {
  readonly v: number;
  readonly scope: string;
  readonly at: string;
  readonly shown: number;
  readonly of: number;
  readonly arcs: readonly Arc[];
  readonly latest: readonly Latest[];
  readonly emitted_at: string;
}
