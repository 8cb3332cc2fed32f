/** The land as a bitset over a Fibonacci lattice. */
export function landBitset(): { points: number; bits: string };
