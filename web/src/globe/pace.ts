/** Tokens that may be saved up, as milliseconds of the rate. */
const SAVED_MS = 250;

/**
 * Lets so many arcs start a second as may be in flight for their whole life.
 * Without it the ring would fill at once, stay shut until those arcs have
 * landed, and go on like that in pulses for ever.
 */
export class Pace {
  private tokens = 0;
  private last = 0;
  private phase = 0;

  /** `perMs` arcs a millisecond may start. */
  constructor(public perMs: number) {}

  /** How many of the wanted arcs may start at `now`, in milliseconds of any steady clock. */
  take(wanted: number, now: number): number {
    const passed = Math.max(0, now - this.last);
    this.last = now;
    this.tokens = Math.min(this.perMs * SAVED_MS, this.tokens + passed * this.perMs);
    const taken = Math.min(wanted, Math.floor(this.tokens));
    this.tokens -= taken;
    return taken;
  }

  /**
   * Calls back with the indices of `taken` out of `wanted`, evenly spread: those
   * that are shown are a fair sample, not the first of an ordered list.
   */
  sample(taken: number, wanted: number, call: (index: number) => void): void {
    // Steps of the golden ratio: over many batches each place of the list has its turn.
    this.phase = (this.phase + 0.618034) % 1;
    let reached = Math.floor(this.phase * wanted);
    for (let i = 0; i < wanted; i++) {
      reached += taken;
      if (reached < wanted) continue;
      reached -= wanted;
      call(i);
    }
  }
}
