declare module 'virtual:land' {
  /** How many points the lattice has. */
  export const points: number;
  /** A bit per point, base64, lowest bit first: 1 is land. */
  export const bits: string;
  /** Codes of the countries, with commas between; an empty one belongs to land that ISO 3166 has no code for. */
  export const codes: string;
  /** Which land point is in which country; see scripts/land.mjs. */
  export const countries: string;
}

declare module '*.csv?url' {
  const address: string;
  export default address;
}
