/** What a connection needs of the world around it; tests put in their own. */
export interface Surroundings {
  fetch(input: string, init: RequestInit): Promise<Response>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Evenly from 0 up to 1. */
  random(): number;
}

export const browser: Surroundings = {
  fetch: (input, init) => fetch(input, init),
  now: () => Date.now(),
  random: () => Math.random(),
};
