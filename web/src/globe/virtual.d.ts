declare module 'virtual:land' {
  /** How many points the lattice has. */
  export const points: number;
  /** A bit per point, base64, lowest bit first: 1 is land. */
  export const bits: string;
}
