/** See land.mjs. */
export function landData(): { points: number; bits: string; codes: string; countries: string };
