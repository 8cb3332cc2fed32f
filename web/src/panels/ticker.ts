/** Times a second that running numbers are written. */
const HERTZ = 30;

const calls = new Set<(now: number) => void>();
let request = 0;
let last = 0;

function tick(now: number): void {
  request = calls.size > 0 ? requestAnimationFrame(tick) : 0;
  if (now - last < 1_000 / HERTZ - 2) return;
  last = now;
  for (const call of calls) call(now);
}

/** Calls back before paints, all callers in the same frame, until the returned function is called. */
export function everyFrame(call: (now: number) => void): () => void {
  calls.add(call);
  if (request === 0) request = requestAnimationFrame(tick);
  return () => calls.delete(call);
}
