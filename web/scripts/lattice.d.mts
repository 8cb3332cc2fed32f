/** See lattice.mjs. */
export function latticePoint(i: number, n: number): [lon: number, lat: number];
export function latticeVectors(n: number): Float32Array<ArrayBuffer>;
export function nearestBefore(i: number, vectors: Float32Array, onLand: (i: number) => boolean): number;
