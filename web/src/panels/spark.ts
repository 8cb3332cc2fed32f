import type { Figure, History } from '../client/records.ts';

/** A point of a sparkline: minutes before the end (0 to 60) and a value. */
export interface SparkPoint {
  readonly minute: number;
  readonly value: number;
}

/**
 * The last hour of a figure. Minutes that ended before `since` had no orders to
 * count and are left out: they are unknown, not zero.
 */
export function lastHour(history: History, figure: Figure, since: string | undefined): SparkPoint[] {
  const values = history[figure];
  if (!Array.isArray(values)) return [];
  const end = Date.parse(history.window_end);
  const first = since === undefined ? -Infinity : Date.parse(since);
  const points: SparkPoint[] = [];
  values.forEach((value: number, i) => {
    const minute = values.length - 1 - i;
    if (end - minute * 60_000 > first) points.push({ minute, value });
  });
  return points;
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
