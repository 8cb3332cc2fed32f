/** Limits of the waiting time between attempts, in milliseconds; `least` holds even where the server asks for none. */
export const BACKOFF = { least: 50, floor: 250, base: 1_000, cap: 30_000 } as const;

/**
 * How long to wait before the next attempt. After failures: full jitter, that
 * is a time drawn evenly below an exponentially growing bound ("Exponential
 * Backoff and Jitter", AWS Architecture Blog, 2015), so that the clients of a
 * pod that died do not come back in step. After an orderly `goodbye`, in which
 * the server has named a time, that very time: it was drawn for this client.
 */
export class Backoff {
  private failures = 0;
  private retryMs: number = BACKOFF.base;
  private named: number | undefined;
  private least = 0;

  constructor(private readonly random: () => number = Math.random) {}

  /** The stream's `retry:` field. */
  retry(ms: number): void {
    if (Number.isFinite(ms) && ms >= 0) this.retryMs = Math.min(ms, BACKOFF.cap);
  }

  /** The server asked for this very wait, which it has drawn for this client: a goodbye. */
  name(ms: number = this.retryMs): void {
    this.named = Math.max(BACKOFF.least, ms);
  }

  /** The server asked everybody for this wait at least: Retry-After. */
  after(ms: number): void {
    this.least = Math.max(0, ms);
  }

  /** A connection delivered something: the next failure starts from the bottom. */
  succeeded(): void {
    this.failures = 0;
  }

  /** Returns the wait in milliseconds and counts one more failure. */
  next(): number {
    const { named, least } = this;
    this.named = undefined;
    this.least = 0;
    const bound = Math.min(BACKOFF.cap, this.retryMs * 2 ** Math.min(this.failures, 20));
    this.failures++;
    return named ?? least + Math.max(BACKOFF.floor, Math.floor(this.random() * bound));
  }
}

/** Reads a Retry-After header (seconds or a date; RFC 9110, 10.2.3) as milliseconds. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(0, ms), 10 * 60_000) : undefined;
}
