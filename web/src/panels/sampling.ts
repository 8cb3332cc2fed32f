const SECONDS = 60;

/** How many orders were shown of how many there were, and over how many seconds: the last minute, or as much of it as was looked at. */
export interface Sums {
  readonly shown: number;
  readonly of: number;
  readonly seconds: number;
}

/** Counts orders that were shown, over the last minute. */
export class Sampling {
  private readonly shown = new Float64Array(SECONDS);
  private readonly of = new Float64Array(SECONDS);
  private second = 0;
  /** The first second in which anything was counted. */
  private first = Infinity;

  /** Counts a batch at `now`, in milliseconds. */
  add(shown: number, of: number, now: number): void {
    this.forward(now);
    this.first = Math.min(this.first, this.second);
    this.shown[this.second % SECONDS]! += shown;
    this.of[this.second % SECONDS]! += of;
  }

  /** The sums over the last sixty seconds. */
  sums(now: number): Sums {
    this.forward(now);
    const sum = (a: Float64Array) => a.reduce((x, y) => x + y, 0);
    return { shown: sum(this.shown), of: sum(this.of), seconds: Math.min(SECONDS, Math.max(1, this.second - this.first + 1)) };
  }

  private forward(now: number): void {
    const second = Math.floor(now / 1_000);
    const steps = Math.min(SECONDS, Math.max(0, second - this.second));
    for (let i = 1; i <= steps; i++) {
      const slot = (second - steps + i) % SECONDS;
      this.shown[slot] = 0;
      this.of[slot] = 0;
    }
    this.second = Math.max(this.second, second);
  }
}
