/** A colour as red, green and blue from 0 to 1. */
export type Rgb = readonly [number, number, number];

/** The colours of the globe. */
export interface Palette {
  /** On a light page colours cover what is below them; on a dark one they are light that adds up. */
  readonly light: boolean;
  readonly seaDay: Rgb;
  readonly seaNight: Rgb;
  readonly landDay: Rgb;
  readonly landNight: Rgb;
  /** The air at the limb, and further out. */
  readonly airNear: Rgb;
  readonly airFar: Rgb;
  /** The sun's last light along the terminator. */
  readonly dusk: Rgb;
  /** Cities at night. */
  readonly lights: Rgb;
  /** A country that is chosen, or that the pointer is on. */
  readonly chosen: Rgb;
  /** Orders by distance: near, middle, far. */
  readonly tones: readonly [Rgb, Rgb, Rgb];
  /** What the head of an arc is mixed with. */
  readonly hot: Rgb;
}

export const DARK: Palette = {
  light: false,
  seaDay: [0.024, 0.085, 0.235],
  seaNight: [0.013, 0.026, 0.076],
  landDay: [0.50, 0.67, 1.0],
  landNight: [0.24, 0.32, 0.62],
  airNear: [0.36, 0.64, 1.0],
  airFar: [0.10, 0.26, 0.85],
  dusk: [0.60, 0.28, 0.30],
  lights: [1.0, 0.80, 0.50],
  chosen: [0.55, 0.95, 1.0],
  tones: [[1.0, 0.74, 0.38], [0.33, 0.86, 1.0], [0.68, 0.52, 1.0]],
  hot: [0.85, 0.92, 1.0],
};

export const LIGHT: Palette = {
  light: true,
  seaDay: [0.885, 0.925, 0.985],
  seaNight: [0.66, 0.735, 0.885],
  landDay: [0.40, 0.52, 0.80],
  landNight: [0.25, 0.34, 0.62],
  airNear: [0.42, 0.62, 1.0],
  airFar: [0.62, 0.76, 1.0],
  dusk: [0.98, 0.72, 0.55],
  lights: [0.99, 0.86, 0.55],
  chosen: [0.05, 0.25, 0.78],
  tones: [[0.80, 0.38, 0.02], [0.0, 0.42, 0.66], [0.42, 0.20, 0.80]],
  hot: [0.05, 0.08, 0.25],
};

/** Reads #rgb or #rrggbb; undefined for anything else. */
export function rgbOf(text: string): Rgb | undefined {
  const short = /^#([\da-f])([\da-f])([\da-f])$/i.exec(text.trim());
  const long = /^#([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i.exec(text.trim());
  if (short) return [parseInt(short[1]! + short[1], 16) / 255, parseInt(short[2]! + short[2], 16) / 255, parseInt(short[3]! + short[3], 16) / 255];
  if (long) return [parseInt(long[1]!, 16) / 255, parseInt(long[2]!, 16) / 255, parseInt(long[3]!, 16) / 255];
  return undefined;
}

/** The colour as CSS has it. */
export function cssOf([r, g, b]: Rgb): string {
  return `rgb(${Math.round(r * 255)} ${Math.round(g * 255)} ${Math.round(b * 255)})`;
}
