import type { Figure, History } from '../client/records.ts';

/** A point of a sparkline: minutes before the end (0 to 60) and a value. */
export interface SparkPoint {
  readonly minute: number;
  readonly value: number;
}

/**
 * The last hour of a figure, from the first minute that had an order: minutes
 * before it hold zero also where nothing was counted yet, and a line at zero
 * would claim that something was.
 */
export function lastHour(history: History, figure: Figure): SparkPoint[] {
  const values = history[figure];
  if (!Array.isArray(values) || !Array.isArray(history.orders)) return [];
  const first = history.orders.findIndex((orders: number) => orders > 0);
  if (first < 0) return [];
  return values.slice(first).map((value: number, i) => ({ minute: values.length - 1 - first - i, value }));
}

/** The line and the area below it as SVG paths in a box of width by height; empty with under two points. */
export function sparkPaths(points: readonly SparkPoint[], width: number, height: number): { line: string; area: string; x: number; y: number } | undefined {
  if (points.length < 2) return undefined;
  const span = Math.max(1, points[0]!.minute);
  const values = points.map((p) => p.value);
  const high = Math.max(...values);
  // Half of the room below the lowest value: a busy hour is not a flat line at the top.
  const low = Math.min(...values) * 0.5;
  const range = high - low || 1;
  const x = (p: SparkPoint) => round(width * (1 - p.minute / span));
  const y = (p: SparkPoint) => round(height - 2 - ((p.value - low) / range) * (height - 5));
  const line = points.map((p, i) => `${i === 0 ? 'M' : 'L'}${x(p)} ${y(p)}`).join('');
  const area = `${line}L${x(points.at(-1)!)} ${height}L${x(points[0]!)} ${height}Z`;
  return { line, area, x: x(points.at(-1)!), y: y(points.at(-1)!) };
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}
